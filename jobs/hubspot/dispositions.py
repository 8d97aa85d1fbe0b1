"""What the values of `hs_call_disposition` are called in each account.

An account may add its own to HubSpot's six, which `jobs.events.normalise` knows. Its list is kept
in the process; while HubSpot does not give it, as where a scope is missing, the last one is used,
or none. A read never fails for want of a label.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec
from redis.exceptions import RedisError

from jobs.hubspot.errors import HubSpotError
from jobs.hubspot.listings import Listings

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
        """Return the outcomes that the account lists: id -> label. Never fails.

        Args:
            portal_id: the account.
            wanted: ids that need a label; one that is not in the list hastens the next asking.
        """

        async def ask(_last: _Labels | None) -> _Labels:
            labels = await self._ask(portal_id)
            return _Labels(labels, frozenset(set(wanted) - labels.keys()))

        def lacks(listed: _Labels) -> bool:
            return bool(set(wanted) - listed.labels.keys() - listed.strangers)

        try:
            return (await self._listings.get(portal_id, ask, lacks=lacks)).labels
        except (HubSpotError, RedisError, OSError):  # told by the listings
            return {}
