"""Missed calls: changes that reconciliation found and that no notification had told of.

Counted where such a read is published, so a call counts when its last event was wrong, and not when
it merely was looked at. A worker that dies between publishing and counting leaves one uncounted.
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec
import structlog
from callstream_client import keys
from redis.asyncio import Redis

from jobs.instants import to_ms
from jobs.live.reading import Found
from jobs.live.work import Offer, finding
from jobs.redis import command
from jobs.scripts import Script
from jobs.stream.stream import Outcome, Published

LATEST: Final = 100
"""So many missed calls are listed for each account."""

_log = structlog.get_logger(__name__)


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """A call whose last event was wrong without anybody having said so."""

    call_id: str
    found: str
    """What showed it: `search`, `listing`, `archived` or `unnamed`."""
    found_at: int
    """Redis' epoch ms."""
    age_ms: int | None
    """How long ago it had changed; None if nothing tells."""
    at_most: bool
    """True if HubSpot does not tell when it changed: the age counts from when its last event was
    last known to be right."""


class MissedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The missed calls of one account."""

    count: int = 0
    last_at: int = 0
    """When one was found last, Redis' epoch ms; 0 = none was."""
    oldest_age_ms: int = 0
    """The longest that one had stood wrong."""
    latest: tuple[Miss, ...] = ()
    """The latest of them, newest first."""


def missed_among(offers: Sequence[Offer], outcomes: Mapping[str, Outcome], now: int) -> list[Miss]:
    """Return those of the offered calls that were missed; `now` is Redis' epoch ms."""
    misses: list[Miss] = []
    for offer in offers:
        hint = finding(offer.work)
        if hint is None or not isinstance(outcomes[offer.work.call_id], Published):
            continue
        changed_at = _changed_at(offer) or hint.occurred_at
        since = changed_at or hint.right_at
        misses.append(
            Miss(
                call_id=offer.work.call_id,
                found=hint.found,
                found_at=now,
                age_ms=max(0, now - since) if since else None,
                at_most=not changed_at,
            )
        )
    return misses


def _changed_at(offer: Offer) -> int:
    """Return when HubSpot says that an archived call went away, epoch ms; 0 = it does not say."""
    if not isinstance(offer.answer, Found):
        return 0
    call = offer.answer.call
    return to_ms(call.archived_at) if call.archived and call.archived_at else 0


class Missed:
    """The missed calls of all accounts; raises `redis.RedisError` when Redis is away."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        """Use the ledger's Redis; the keys are in `jobs.reconciliation.store`."""
        self._redis = redis
        self._prefix = f"{keys.prefix(namespace)}reconciliation:"
        self._note = Script(redis, "reconciliation/common", "reconciliation/missed")

    async def note(self, portal_id: int, misses: Sequence[Miss]) -> None:
        """Count missed calls."""
        if not misses:
            return
        key = f"{self._prefix}{portal_id}"
        oldest = max((miss.age_ms for miss in misses if miss.age_ms is not None), default=-1)
        await self._note(
            [f"{self._prefix}due", key, f"{key}:missed"],
            [oldest, LATEST, *map(msgspec.json.encode, misses)],
        )
        _log.warning("calls had changed untold", portal_id=portal_id, calls=len(misses))

    async def figures(self, portal_id: int) -> MissedFigures:
        """Return what was counted of an account."""
        key = f"{self._prefix}{portal_id}"
        answer = await command(self._redis, "HMGET", key, "missed", "missed_at", "missed_age")
        count, last_at, age_ms = (int(value or 0) for value in cast("list[bytes | None]", answer))
        listed = cast("list[bytes]", await command(self._redis, "LRANGE", f"{key}:missed", 0, -1))
        return MissedFigures(
            count=count,
            last_at=last_at,
            oldest_age_ms=age_ms,
            latest=tuple(msgspec.json.decode(raw, type=Miss) for raw in listed),
        )
