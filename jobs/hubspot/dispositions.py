"""What the values of `hs_call_disposition` are called in each account.

An account may add its own to HubSpot's six. Its list is kept in the process; while HubSpot does not
give it, as where a scope is missing, the last one is used, or the six. A read never fails for want
of a label.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from redis.exceptions import RedisError

from jobs.hubspot.errors import HubSpotError
from jobs.hubspot.listings import Listings

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

Ask = Callable[[int], Awaitable[Mapping[str, str]]]
"""Asks HubSpot for an account's list; raises HubSpotError."""


class _Labels(msgspec.Struct, frozen=True):
    labels: Mapping[str, str]
    strangers: frozenset[str]
    """Outcomes that were asked for and that the account does not have."""


class Dispositions:
    """The outcomes of all accounts, as this process knows them."""

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Ask through `ask`; `clock` tells seconds."""
        self._ask = ask
        self._listings: Listings[_Labels] = Listings("call outcomes", clock)

    async def labels(self, portal_id: int, wanted: Collection[str] = ()) -> Mapping[str, str]:
        """Return the account's outcomes: id -> label. Never fails.

        Args:
            portal_id: the account.
            wanted: ids that need a label; one that is not in the list hastens the next asking.
        """

        async def ask(_last: _Labels | None) -> _Labels:
            labels = {**DEFAULTS, **await self._ask(portal_id)}
            return _Labels(labels, frozenset(set(wanted) - labels.keys()))

        def lacks(listed: _Labels) -> bool:
            return bool(set(wanted) - listed.labels.keys() - listed.strangers)

        try:
            return (await self._listings.get(portal_id, ask, lacks=lacks)).labels
        except (HubSpotError, RedisError, OSError):  # told by the listings
            return DEFAULTS
