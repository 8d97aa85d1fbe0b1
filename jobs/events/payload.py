"""What an event says besides the call: why it was looked at, and when. Pure."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from callstream_client.events import ORIGINS, Call, CallEventData, Change

from jobs import instants
from jobs.ledger.hints import Bucket, Hint

MAX_CHANGES: Final = 100
"""An event carries at most this many changes: the latest."""


def call_event_data(  # noqa: PLR0913 - the parts of one payload, named by the caller
    *,
    portal_id: int,
    call_id: str,
    call: Call | None,
    said: Bucket,
    origin: str = "webhook",
    merged_into: str | None = None,
) -> CallEventData:
    """Return the payload of an event about a call.

    Args:
        portal_id: the account.
        call_id: the call, also where there is no record any more.
        call: its state; None if HubSpot no longer gives one.
        said: what the notifications that this event answers said.
        origin: who looked at the call, for when no notification named it.
        merged_into: the call that this one was merged into.
    """
    telling = [hint for hint in said.hints if hint.kind]
    changes = tuple(dict.fromkeys(map(_change, sorted(telling, key=_age)))) if telling else ()
    return CallEventData(
        portal_id=portal_id,
        call_id=call_id,
        origin=first_origin([hint.origin for hint in said.hints] or [origin]),
        merged_into=merged_into,
        changes_truncated=said.dropped_until > 0 or len(changes) > MAX_CHANGES,
        changes=changes[-MAX_CHANGES:],
        call=call,
    )


def first_origin(origins: Collection[str]) -> str:
    """Return the first of the origins in the contract's order; one it does not know comes last.

    Raises:
        ValueError: there are none.
    """
    if len(origins) == 1:
        return next(iter(origins))
    return min(origins, key=lambda origin: (_RANK.get(origin, len(_RANK)), origin))


def event_time(call: Call | None, said: Bucket, now_ms: int) -> str:
    """Return the `time` of an event, which is never used for order.

    It is the latest `occurred_at` of the notifications that the event answers; without any, when
    the call was archived, or else updated; without a call either, `now_ms`.
    """
    latest = said.dropped_until
    for hint in said.hints:
        latest = max(latest, hint.occurred_at)
    told = instants.ms_to_text(latest) if latest > 0 else None
    if told is not None:
        return told
    if call is None:
        return instants.to_text(instants.EPOCH + timedelta(milliseconds=now_ms))
    return call.archived_at or call.updated_at


_RANK: Final = {origin: rank for rank, origin in enumerate(ORIGINS)}


def _age(hint: Hint) -> tuple[int, str, str]:
    return hint.occurred_at, hint.kind, hint.property or ""


def _change(hint: Hint) -> Change:
    occurred_at = instants.ms_to_text(hint.occurred_at) if hint.occurred_at > 0 else None
    return Change(hint.kind, hint.property, occurred_at, hint.source)
