"""What operators do with reconciliations: ask for one, and look where the accounts stand."""

import secrets
from collections.abc import Sequence
from typing import Final, cast

import msgspec
from redis.asyncio import Redis

from jobs.backfill.operate import NotConnectedError
from jobs.instants import parse, to_ms
from jobs.ledger.ledger import Ledger
from jobs.reconciliation.missed import Missed, MissedFigures
from jobs.reconciliation.runs import Ask, Run
from jobs.reconciliation.store import Reconciliations
from jobs.timing import Timing

__all__ = ["Glance", "NotConnectedError", "Reconciled", "Reconciling", "SinceError", "since_ms"]


AT_ONCE: Final = 500
"""Accounts that are glanced at in one round trip."""


class SinceError(ValueError):
    """A time that is none, or that has yet to come."""


class Reconciled(msgspec.Struct, frozen=True, kw_only=True):
    """Where one account stands."""

    portal_id: int
    watermark: int
    """All that was modified until then has been searched, HubSpot's epoch ms; 0 = nothing was."""
    searched_at: int
    """When the last finished search began, Redis' epoch ms; 0 = none has."""
    round_at: int
    """When the last finished round began; 0 = none has."""
    run: Run | None
    """The run at work."""
    last: Run | None
    """The run that ended last."""
    missed: MissedFigures


class Glance(msgspec.Struct, frozen=True):
    """How one account does, in two words."""

    missed: int = 0
    """Calls that were missed so far."""
    failed: bool = False
    """Whether the run that ended last failed."""


class _Last(msgspec.Struct):
    state: str


_last: Final = msgspec.json.Decoder(_Last)


def since_ms(text: str, now: int) -> int:
    """Return the epoch ms of an RFC 3339 time.

    Raises:
        SinceError: it is none, or later than `now`.
    """
    instant = None if text.isdigit() else parse(text)
    if instant is None:
        msg = "since is no RFC 3339 time such as 2026-01-15T11:00:00Z"
        raise SinceError(msg)
    if to_ms(instant) > now:
        msg = "since has yet to come"
        raise SinceError(msg)
    return max(1, to_ms(instant))


class Reconciling:
    """The reconciliations of one deployment; raises `redis.RedisError` when Redis is away."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing) -> None:
        """Use the ledger's Redis."""
        self._redis = redis
        self._ledger = Ledger(redis, namespace, timing)
        self._missed = Missed(redis, namespace)
        self.store = Reconciliations(redis, namespace, timing)

    async def accounts(self) -> list[int]:
        """Return the accounts that workers reconcile."""
        return await self.store.accounts()

    async def start(self, portal_id: int, *, since: str = "", full: bool = False) -> str:
        """Ask for a run, and return its id.

        Args:
            portal_id: of a connected account.
            since: RFC 3339; empty = where the last search ended. Later than that counts as that.
            full: whether to list all calls as well.

        Raises:
            NotConnectedError: nothing can be read of the account.
            SinceError: `since` is no time in the past.
        """
        door = await self._ledger.door(portal_id)
        begin = since_ms(since, door.now) if since else 0
        if not door.open:
            raise NotConnectedError(portal_id)
        ask = Ask(id=f"{portal_id}-{secrets.token_hex(6)}", since=begin, full=full)
        return await self.store.ask(portal_id, ask)

    async def glances(self, portals: Sequence[int]) -> dict[int, Glance]:
        """Return how each of these accounts does: cheap, also for thousands of them."""
        found: dict[int, Glance] = {}
        for start in range(0, len(portals), AT_ONCE):
            part = portals[start : start + AT_ONCE]
            pipeline = self._redis.pipeline(transaction=False)
            for portal_id in part:
                pipeline.hmget(self.store.key(portal_id), ["missed", "last"])
            answers = cast("list[list[bytes | None]]", await pipeline.execute())
            for portal_id, (missed, last) in zip(part, answers, strict=True):
                failed = last is not None and _last.decode(last).state == "failed"
                found[portal_id] = Glance(int(missed or 0), failed)
        return found

    async def look(self, portal_id: int) -> Reconciled:
        """Return where the account stands."""
        standing = await self.store.standing(portal_id)
        return Reconciled(
            portal_id=portal_id,
            watermark=standing.watermark,
            searched_at=standing.searched_at,
            round_at=standing.round_at,
            run=standing.run,
            last=standing.last,
            missed=await self._missed.figures(portal_id),
        )
