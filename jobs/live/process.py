"""Takes a claim's calls to the stream: read, judged, published, with a verdict on each."""

import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError

from jobs.context import Context
from jobs.hubspot.errors import PortalFailure
from jobs.ledger.messages import Claim, Later, Outcome, Verdict
from jobs.live.failing import after_unforeseen, groups, is_outage, place_of
from jobs.live.judging import Judgement, judge
from jobs.live.outcomes import portal_outcome, sleeping
from jobs.live.paging import Paging
from jobs.live.publishing import Setting, publish, take_tickets
from jobs.live.reading import Found, Round, read_round
from jobs.live.work import Work, after_publishing, open_work
from jobs.reconciliation.missed import missed_among
from jobs.stream.projection import Projection
from jobs.stream.stream import StaleProjectionError

GROUPS: Final = 10
"""So many groups of calls are taken one after the other: there is one, unless calls are suspected
of an error that nobody foresaw."""
UNFORESEEN: Final = "unforeseen"
"""Why an account sleeps whose calls were not even begun with."""

_OUTCOME: Final = "hs_call_disposition"
"""The property that holds the id of a call's outcome."""

_log = structlog.get_logger(__name__)


async def process(
    context: Context, portal_id: int, claim: Claim
) -> tuple[Sequence[Verdict], Outcome]:
    """Read and publish the claimed calls; return what to settle.

    Raises:
        redis.RedisError, OSError: Redis is away.
    """
    works = [open_work(call) for call in claim.calls]
    verdicts: list[Verdict] = []
    outcome = Outcome("well")
    for group in groups(works)[:GROUPS]:
        step = _Step(context, portal_id, claim, group)
        done, outcome = await step.take()
        verdicts += done
        if outcome.kind != "well":
            break
    settled = {verdict.call_id for verdict in verdicts}
    left = [Later(work.call_id) for work in works if work.call_id not in settled]
    return verdicts + left, outcome


class _Step:
    """One group of a claim's calls, which are read together."""

    def __init__(
        self, context: Context, portal_id: int, claim: Claim, works: Sequence[Work]
    ) -> None:
        self._context = context
        self._portal_id = portal_id
        self._claim = claim
        self._works = works
        self._begun = False
        """Whether the calls themselves are being dealt with: an error before is not theirs."""

    async def take(self) -> tuple[Sequence[Verdict], Outcome]:
        """Return the verdicts on the calls, as far as there are, and what the portal came to."""
        try:
            return await self._take()
        except RedisError as error:
            if is_outage(error):
                raise
            return self._unforeseen(error)
        except OSError:
            raise
        # What nobody foresaw would be met again with every lease: some call, or the account, has
        # to step back, whatever it is.
        except Exception as error:  # noqa: BLE001
            return self._unforeseen(error)

    def _unforeseen(self, error: Exception) -> tuple[Sequence[Verdict], Outcome]:
        claim, timing = self._claim, self._context.timing
        place = place_of(error)
        held_back = self._context.quiet.speak(place)
        if held_back is not None:
            _log.error(
                "unforeseen error",
                portal_id=self._portal_id,
                error=place,
                calls=len(self._works),
                begun=self._begun,
                more_like_this=held_back,
            )
        if not self._begun:
            return [], sleeping(UNFORESEEN, claim.failures, timing)
        verdicts = after_unforeseen(self._works, error, self._portal_id, claim.claimed_at, timing)
        return verdicts, Outcome("well")

    async def _take(self) -> tuple[Sequence[Verdict], Outcome]:
        context, portal_id = self._context, self._portal_id
        failures, timing = self._claim.failures, context.timing
        try:
            projection = await context.projection(portal_id)
        except PortalFailure as failure:
            return [], portal_outcome(failure, failures, timing)
        cost = 1 + len(projection.associations)
        wait_ms = await context.budget.take(portal_id, cost)
        pace_ms = context.budget.spending(portal_id).pace_ms(cost)
        if wait_ms:
            return [], Outcome("waits", wait_ms, "budget", pace_ms)
        setting, read = await self._read(projection)
        judgement = await judge(context, setting, self._works, read)
        verdicts = await _publish(context, setting, judgement)
        outcome = portal_outcome(judgement.failure, failures, timing)
        return verdicts, msgspec.structs.replace(outcome, pace_ms=pace_ms)

    async def _read(self, projection: Projection) -> tuple[Setting, Round]:
        context, portal_id = self._context, self._portal_id
        ids = [work.call_id for work in self._works]
        tickets = await take_tickets(context.stream, portal_id, ids)
        half_read = [work.call_id for work in self._works if work.memo.paging]
        pagings = await context.pagings.load(portal_id, half_read)
        self._begun = True
        began = time.monotonic()
        read = await read_round(
            context.hubspot,
            portal_id,
            ids,
            projection.properties,
            projection.associations,
            begun={call_id: paging.kinds for call_id, paging in pagings.items()},
        )
        self._begun = False
        context.latency.observe((time.monotonic() - began) * 1000)
        read = await self._keep_paging(read, pagings, tickets)
        setting = Setting(
            portal_id=portal_id,
            projection=projection,
            tickets=tickets,
            dispositions=await context.dispositions.labels(portal_id, _outcomes(read)),
            connected_at=self._claim.connected_at,
            now=self._claim.claimed_at,
        )
        self._begun = True
        return setting, read

    async def _keep_paging(
        self, read: Round, before: Mapping[str, Paging], tickets: Mapping[int, int]
    ) -> Round:
        """Remember what was half read; return the round with the tickets of what is now whole."""
        context, portal_id = self._context, self._portal_id

        def ticket_of(call_id: str) -> int:
            if call_id in before:
                return before[call_id].ticket
            return tickets[context.stream.partition_of(portal_id, call_id)]

        begun = {
            call_id: Paging(ticket_of(call_id), kinds) for call_id, kinds in read.begun.items()
        }
        await context.pagings.keep(portal_id, begun)
        whole = [call_id for call_id in before if call_id in read.answers]
        await context.pagings.forget(portal_id, whole)
        answers = dict(read.answers)
        for call_id in whole:
            answer = answers[call_id]
            if isinstance(answer, Found):
                ticket = before[call_id].ticket
                answers[call_id] = msgspec.structs.replace(answer, ticket=ticket)
        return msgspec.structs.replace(read, answers=answers)


def _outcomes(read: Round) -> set[str]:
    """Return the ids of the call outcomes that were read, which need labels."""
    calls = (answer.call for answer in read.answers.values() if isinstance(answer, Found))
    return {outcome for call in calls if (outcome := call.properties.get(_OUTCOME))}


async def _publish(context: Context, setting: Setting, judgement: Judgement) -> list[Verdict]:
    """Publish the offers and return the verdict on every call."""
    verdicts = list(judgement.verdicts)
    try:
        outcomes = await publish(context.stream, setting, judgement.offers)
    except StaleProjectionError as error:
        context.follow_projection(setting.portal_id, error.generation)
        again_ms = context.timing.again_first_ms
        return verdicts + [Later(offer.work.call_id, again_ms) for offer in judgement.offers]
    misses = missed_among(judgement.offers, outcomes, setting.now)
    await context.missed.note(setting.portal_id, misses)
    for offer in judgement.offers:
        outcome = outcomes[offer.work.call_id]
        verdicts.append(after_publishing(offer, outcome, context.timing))
    return verdicts
