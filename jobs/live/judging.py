"""Decides what becomes of each call of a round: offered to the stream, waits, or is set aside."""

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from jobs.context import Context
from jobs.hubspot.errors import PortalFailure, RecordRefused
from jobs.ledger.messages import Later, Verdict
from jobs.live.failing import spoiled
from jobs.live.publishing import Setting
from jobs.live.reading import Merged, Missing, Round, Spoiled
from jobs.live.vanishing import is_suspicious
from jobs.live.verdicts import Absence, Weighed
from jobs.live.work import Offer, Work, absent, read_on, weigh_answer, withheld

_log = structlog.get_logger(__name__)


class Judgement(msgspec.Struct, frozen=True):
    """What a round came to, before anything is published."""

    offers: Sequence[Offer]
    verdicts: Sequence[Verdict]
    """On the calls that are not offered."""
    failure: PortalFailure | None
    """Why calls were not reached, or must not be believed."""


async def judge(
    context: Context, setting: Setting, works: Sequence[Work], read: Round
) -> Judgement:
    """Sort the claimed calls by what HubSpot answered.

    Raises:
        redis.RedisError: Redis is away.
    """
    offers: list[Offer] = []
    verdicts: list[Verdict] = []
    missing: list[tuple[Work, Weighed]] = []
    for work in works:
        match read.answers.get(work.call_id):
            case None if work.call_id in read.begun:
                verdicts.append(read_on(work))
            case None:
                verdicts.append(Later(work.call_id))
            case Spoiled() as answer:
                verdicts.append(
                    spoiled(work, answer, setting.portal_id, setting.now, context.timing)
                )
            case answer:
                weighed = weigh_answer(work, answer, setting.now, context.timing)
                if isinstance(answer, Missing):
                    missing.append((work, weighed))
                elif waits := withheld(work, answer, weighed):
                    verdicts.append(waits)
                else:
                    offers.append(Offer(work, answer, weighed))
    try:
        gone, waiting = await _judge_missing(context, setting, missing)
    except PortalFailure as failure:
        verdicts += [Later(work.call_id) for work, _ in missing]
        return Judgement(offers, verdicts, failure)
    return Judgement(offers + gone, verdicts + waiting, read.failure)


async def _judge_missing(
    context: Context, setting: Setting, missing: Sequence[tuple[Work, Weighed]]
) -> tuple[list[Offer], list[Verdict]]:
    """Return the calls that are gone and the verdicts on those that are not yet.

    Raises:
        PortalFailure: so many vanish unannounced that the token, not the calls, is in doubt.
    """
    gone: list[Offer] = []
    waiting: list[Verdict] = []
    unannounced: dict[str, bool] = {}
    for work, weighed in missing:
        absence, verdict = absent(work, weighed, setting.now, context.timing)
        if verdict is None:
            survivor = absence.merged_into if absence else None
            gone.append(Offer(work, Merged(survivor) if survivor else Missing(), weighed))
        else:
            waiting.append(verdict)
        if _is_held(absence):
            unannounced[work.call_id] = verdict is None
    if unannounced:
        await _check_vanishing(context, setting, unannounced)
    return gone, waiting


def _is_held(absence: Absence | None) -> bool:
    return absence is not None and absence.rounds > 1 and not absence.announced


async def _check_vanishing(
    context: Context, setting: Setting, unannounced: Mapping[str, bool]
) -> None:
    """Let no call go unannounced unless the token is this portal's and few others go with it.

    Only published calls can vanish: of the others no event says that they are gone.
    """
    portal_id = setting.portal_id
    present = await context.stream.present(portal_id, unannounced)
    vanished = await context.vanishing.note(portal_id, present, setting.now) if present else 0
    known = await context.stream.records.count(portal_id)
    if is_suspicious(vanished, known) and not await context.vanishing.is_believed(portal_id):
        _log.error(
            "too many calls vanished unannounced: check that the token is this account's; "
            "if they are really gone, callstream accounts believe",
            portal_id=portal_id,
            vanished=vanished,
            known=known,
        )
        raise PortalFailure(kind="wrong_account", detail="too many calls vanished unannounced")
    if any(unannounced.values()):
        await _confirm_token(context, portal_id)


async def _confirm_token(context: Context, portal_id: int) -> None:
    """Raise `PortalFailure` unless HubSpot says that the token is this portal's."""
    try:
        await context.hubspot.confirm_token(portal_id)
    except RecordRefused as refusal:  # no record was asked for: it is about the account
        raise PortalFailure(
            kind="forbidden",
            detail="HubSpot does not say whose the token is",
            status=refusal.status,
            category=refusal.category,
        ) from refusal
