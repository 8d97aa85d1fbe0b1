"""Lists that HubSpot gives for each account, kept in the process and refreshed by one caller.

A list that cannot be refreshed serves on: what is stale is better than nothing, and a read does not
wait for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import structlog
from redis.exceptions import RedisError

from jobs.hubspot.errors import HubSpotError, PortalFailure

TTL_S: Final = 3_600.0
"""How long an account's list is used before HubSpot is asked again."""
RETRY_S: Final = 60.0
"""How long after an attempt that failed, at most; also, how old a list must be for something that
is not in it to be asked for."""

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Kept(Generic[T]):
    value: T | None
    """None while HubSpot never gave the list."""
    failure: Exception | None
    """Why it did not, the last time it was asked."""
    asked_at: float
    stale_at: float


class Listings(Generic[T]):
    """One kind of list, of all accounts, as this process knows them."""

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep lists of `what`, words for the log; `clock` tells seconds."""
        self._what = what
        self._clock = clock
        self._kept: dict[int, _Kept[T]] = {}
        self._asking: dict[int, asyncio.Lock] = {}

    async def get(
        self,
        portal_id: int,
        ask: Callable[[T | None], Awaitable[T]],
        *,
        lacks: Callable[[T], bool] | None = None,
    ) -> T:
        """Return the account's list.

        Waits for HubSpot only if the list was never asked for; otherwise one caller asks, and the
        others go on with the list there is.

        Args:
            portal_id: the account.
            ask: asks HubSpot, and is told the last list it gave.
            lacks: tells whether a list does not hold what the caller needs, which hastens the next
                asking, because it may have been added meanwhile.

        Raises:
            HubSpotError, redis.RedisError, OSError: HubSpot never gave it; why, the last time.
        """
        if not self._is_stale(portal_id, lacks):
            return self._value(portal_id)
        lock = self._asking.setdefault(portal_id, asyncio.Lock())
        if lock.locked() and portal_id in self._kept:
            return self._value(portal_id)
        async with lock:
            if self._is_stale(portal_id, lacks):
                self._kept[portal_id] = await self._refreshed(portal_id, ask)
        return self._value(portal_id)

    def _value(self, portal_id: int) -> T:
        kept = self._kept[portal_id]
        if kept.value is not None:
            return kept.value
        assert kept.failure is not None  # noqa: S101 - there is one or the other
        # The same error is raised to many: each must not add its own stack to it.
        raise kept.failure.with_traceback(None)

    def _is_stale(self, portal_id: int, lacks: Callable[[T], bool] | None) -> bool:
        kept, now = self._kept.get(portal_id), self._clock()
        if kept is None or now >= kept.stale_at:
            return True
        if lacks is None or kept.value is None or now < kept.asked_at + RETRY_S:
            return False
        return lacks(kept.value)

    async def _refreshed(self, portal_id: int, ask: Callable[[T | None], Awaitable[T]]) -> _Kept[T]:
        now, kept = self._clock(), self._kept.get(portal_id)
        last = None if kept is None else kept.value
        try:
            return _Kept(await ask(last), None, now, now + TTL_S)
        except (HubSpotError, RedisError, OSError) as error:
            _log.warning(
                "list not refreshed", of=self._what, portal_id=portal_id, reason=str(error)
            )
            return _Kept(last, error, now, now + _retry_s(error))


def _retry_s(error: Exception) -> float:
    """Return when to ask again: soon if that was told, as when only the budget was spent."""
    told_ms = error.retry_after_ms if isinstance(error, PortalFailure) else None
    return RETRY_S if told_ms is None else min(RETRY_S, told_ms / 1000)
