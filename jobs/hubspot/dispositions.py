"""Call outcomes: what the ids in `hs_call_disposition` are called in each account.

An account may add its own to HubSpot's six. Its list is kept in the process; while HubSpot does not
give it, as where a scope is missing, the last one is used, or the six. A read never fails for want
of a label.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError

from jobs.hubspot.errors import HubSpotError, PortalFailure

DEFAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "9d9162e7-6cf3-4944-bf63-4dff82258764": "Busy",
        "f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected",
        "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "Left live message",
        "b2cf5968-551e-4856-9783-52b3da59a7d0": "Left voicemail",
        "73a0d17f-1163-4015-bdd5-ec830791da20": "No answer",
        "17b47fee-58de-441e-a44c-c6300d46f273": "Wrong number",
    }
)
"""The outcomes that every account starts with (HubSpot's calls guide)."""

TTL_S: Final = 3_600.0
"""How long an account's list is used before HubSpot is asked again."""
RETRY_S: Final = 60.0
"""How long after an attempt that failed, at most; also, how old a list must be for an outcome that
is not in it to be asked for."""

Ask = Callable[[int], Awaitable[Mapping[str, str]]]
"""Asks HubSpot for an account's list; raises HubSpotError."""

_log = structlog.get_logger(__name__)


class _Listed(msgspec.Struct, frozen=True):
    labels: Mapping[str, str]
    asked_at: float
    stale_at: float
    strangers: frozenset[str] = frozenset()
    """Outcomes that were asked for and that the account does not have."""


_NEVER = _Listed(DEFAULTS, float("-inf"), float("-inf"))


class Dispositions:
    """The outcomes of all accounts, as this process knows them."""

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask through `ask`; `clock` tells seconds."""
        self._ask = ask
        self._clock = clock
        self._listed: dict[int, _Listed] = {}
        self._refreshing: dict[int, asyncio.Lock] = {}

    async def labels(self, portal_id: int, wanted: Collection[str] = ()) -> Mapping[str, str]:
        """Return the account's outcomes: id -> label. Never fails.

        Waits for HubSpot only if the account's list was never asked for; otherwise one caller asks
        and the others go on with the list there is.

        Args:
            portal_id: the account.
            wanted: ids that need a label; one that is not in the list hastens the next asking,
                because an outcome may have been added meanwhile.
        """
        if not self._is_stale(portal_id, wanted):
            return self._known(portal_id).labels
        lock = self._refreshing.setdefault(portal_id, asyncio.Lock())
        if lock.locked() and portal_id in self._listed:
            return self._known(portal_id).labels
        async with lock:
            if self._is_stale(portal_id, wanted):
                self._listed[portal_id] = await self._refreshed(portal_id, wanted)
        return self._known(portal_id).labels

    def _known(self, portal_id: int) -> _Listed:
        return self._listed.get(portal_id, _NEVER)

    def _is_stale(self, portal_id: int, wanted: Collection[str]) -> bool:
        known, now = self._known(portal_id), self._clock()
        if now >= known.stale_at:
            return True
        strangers = set(wanted) - known.labels.keys() - known.strangers
        return bool(strangers) and now >= known.asked_at + RETRY_S

    async def _refreshed(self, portal_id: int, wanted: Collection[str]) -> _Listed:
        now, known = self._clock(), self._known(portal_id)
        try:
            own = await self._ask(portal_id)
        except (HubSpotError, RedisError, OSError) as error:
            _log.warning("call outcomes not refreshed", portal_id=portal_id, reason=str(error))
            return _Listed(known.labels, now, now + _retry_s(error), known.strangers)
        labels = {**DEFAULTS, **own}
        return _Listed(labels, now, now + TTL_S, frozenset(set(wanted) - labels.keys()))


def _retry_s(error: Exception) -> float:
    """Return when to ask again: soon if that was told, as when only the budget was spent."""
    told_ms = error.retry_after_ms if isinstance(error, PortalFailure) else None
    return RETRY_S if told_ms is None else min(RETRY_S, told_ms / 1000)
