"""The live job: claim a portal's due calls, read them, publish what is new, settle each."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError

from jobs.context import Context
from jobs.hubspot.errors import PortalFailure
from jobs.ledger.messages import Claim, Later, Outcome, Verdict
from jobs.live.judging import Judgement, judge
from jobs.live.latency import side_by_side
from jobs.live.publishing import Setting, publish, take_tickets
from jobs.live.reading import Found, Round, read_round
from jobs.live.verdicts import doubling
from jobs.live.work import after_publishing, open_work
from jobs.reconciliation.missed import missed_among
from jobs.stream.stream import StaleProjectionError
from jobs.timing import Timing

HAND_BACK_S: Final = 2.0
"""How long a job that is told to stop may take to give its calls back."""

_OUTCOME: Final = "hs_call_disposition"
"""The property that holds the id of a call's outcome."""

_WAITS: Final = frozenset({"budget", "rate_limited"})
"""Failures that are nobody's fault: the portal sleeps, and no failure is counted."""

_log = structlog.get_logger(__name__)


async def fetch_calls(context: Context, portal_id: int, bell_id: str) -> None:
    """Answer a doorbell: take one claim of the portal's due calls through to the stream.

    A call that cannot be settled now goes back to the ledger with a time; nothing waits in here.

    Raises:
        redis.RedisError: Redis is away; the lease ends by itself and the sweep rings again.
    """
    allowed = side_by_side(
        context.budget.spending(portal_id).rate, context.latency.mean_ms, context.slots
    )
    claim = await context.ledger.claim(portal_id, bell_id, side_by_side=allowed)
    if not claim.token:
        await context.doorbells.ring(claim.bells)
        return
    try:
        await context.doorbells.ring(claim.bells)
        async with _renewing(context, portal_id, claim):
            verdicts, outcome = await _process(context, portal_id, claim)
        bells = await context.ledger.settle(portal_id, claim.token, verdicts, outcome)
    except asyncio.CancelledError:
        # Once settled, giving back has no effect: the claim holds nothing any more.
        await asyncio.shield(_give_back(context, portal_id, claim))
        raise
    if outcome.kind == "failed":
        _log.warning(
            "account sleeps", portal_id=portal_id, why=outcome.why, for_ms=outcome.sleep_ms
        )
    await context.doorbells.ring(bells)


async def _process(
    context: Context, portal_id: int, claim: Claim
) -> tuple[Sequence[Verdict], Outcome]:
    """Read and publish the claimed calls; return what to settle."""
    ids = [call.call_id for call in claim.calls]
    try:
        projection = await context.projection(portal_id)
    except PortalFailure as failure:
        return _handed_back(claim), portal_outcome(failure, claim.failures, context.timing)
    cost = 1 + len(projection.associations)
    wait_ms = await context.budget.take(portal_id, cost)
    pace_ms = context.budget.spending(portal_id).pace_ms(cost)
    if wait_ms:
        return _handed_back(claim), Outcome("waits", wait_ms, "budget", pace_ms)
    tickets = await take_tickets(context.stream, portal_id, ids)
    began = time.monotonic()
    read = await read_round(
        context.hubspot, portal_id, ids, projection.properties, projection.associations
    )
    context.latency.observe((time.monotonic() - began) * 1000)
    setting = Setting(
        portal_id=portal_id,
        projection=projection,
        tickets=tickets,
        dispositions=await context.dispositions.labels(portal_id, _outcomes(read)),
        connected_at=claim.connected_at,
        now=claim.claimed_at,
    )
    works = [open_work(call) for call in claim.calls]
    judgement = await judge(context, setting, works, read)
    verdicts = await _publish(context, setting, judgement)
    outcome = portal_outcome(judgement.failure, claim.failures, context.timing)
    return verdicts, msgspec.structs.replace(outcome, pace_ms=pace_ms)


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


def portal_outcome(failure: PortalFailure | None, failures: int, timing: Timing) -> Outcome:
    """Return what a round says about its portal: it is well, waits, or sleeps with backoff.

    Args:
        failure: what ended the round; None = nothing did.
        failures: how often in a row the portal failed before.
        timing: the bounds of the backoff; its jitter is up to a fifth.
    """
    if failure is None:
        return Outcome("well")
    told_ms = failure.retry_after_ms or 0
    if failure.kind in _WAITS:
        return Outcome("waits", told_ms or timing.budget_window_ms, failure.kind)
    backoff_ms = doubling(
        failures + 1, timing.portal_backoff_first_ms, timing.portal_backoff_last_ms
    )
    jittered_ms = round(backoff_ms * random.uniform(0.8, 1.0))  # noqa: S311 - spreads, not secret
    return Outcome("failed", max(told_ms, jittered_ms), failure.kind)


def _handed_back(claim: Claim) -> list[Verdict]:
    return [Later(call.call_id) for call in claim.calls]


async def _give_back(context: Context, portal_id: int, claim: Claim) -> None:
    """Return the claimed calls at once, so that another worker need not wait for the lease."""
    try:
        async with asyncio.timeout(HAND_BACK_S):
            await context.ledger.settle(portal_id, claim.token, _handed_back(claim))
    except (RedisError, OSError, TimeoutError) as error:
        _log.warning("calls not handed back", portal_id=portal_id, error=repr(error))


@contextlib.asynccontextmanager
async def _renewing(context: Context, portal_id: int, claim: Claim) -> AsyncGenerator[None]:
    """Renew the claim's lease for as long as the block runs."""
    task = asyncio.create_task(_renew(context, portal_id, claim))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _renew(context: Context, portal_id: int, claim: Claim) -> None:
    ids = [call.call_id for call in claim.calls]
    kept = len(ids)
    while kept:
        await asyncio.sleep(context.timing.renew_every_ms / 1000)
        try:
            kept = await context.ledger.renew(portal_id, claim.token, ids)
        except (RedisError, OSError) as error:
            _log.warning("lease not renewed", portal_id=portal_id, error=repr(error))
