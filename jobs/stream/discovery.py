"""Which call properties each account defines: what `CALL_PROPERTIES=*` means there.

HubSpot is asked for them once in `listings.TTL_S`. An answer that lacks a name is no reason to read
less, for it may be half of one: a name leaves the list when HubSpot names the property as archived.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.hubspot.listings import Listings
from jobs.stream.projection import Listed, Projections


class Lister(Protocol):
    """Asks HubSpot for property names, as `jobs.hubspot.client.HubSpot` does."""

    async def property_names(self, portal_id: int, *, archived: bool = False) -> tuple[str, ...]:
        """Return the names that the account defines, or has archived; raises HubSpotError."""
        ...


def failure_to_list(error: HubSpotError, detail: str) -> PortalFailure:
    """Return why an account's list is not known, as a failure of the account."""
    if isinstance(error, PortalFailure):
        return error
    # Asked for a list without a parameter of ours, HubSpot can only have refused the account.
    return PortalFailure(
        kind="forbidden", detail=detail, status=error.status, category=error.category
    )


class Discovery:
    """The properties of all accounts, as this process knows them."""

    def __init__(
        self,
        hubspot: Lister,
        projections: Projections,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask through `hubspot`, and go on from what `projections` hold; `clock` tells seconds."""
        self._hubspot = hubspot
        self._projections = projections
        self._listings: Listings[Listed] = Listings("call properties", clock)

    async def properties(self, portal_id: int) -> Listed:
        """Return the account's properties: as HubSpot lists them, or last did for any process.

        Raises:
            PortalFailure: HubSpot does not list them, and never did.
            redis.RedisError: Redis is away.
        """
        try:
            return await self._listings.get(portal_id, partial(self._ask, portal_id))
        except HubSpotError as error:
            listed = await self._projections.listed(portal_id, "properties")
            if listed is not None:
                return listed
            failure = error
        raise failure_to_list(failure, "call properties not listed")

    async def _ask(self, portal_id: int, last: Listed | None) -> Listed:
        known = last or await self._projections.listed(portal_id, "properties")
        # Before asking: a list that was asked for later must never look like the earlier one.
        listed_at = await self._projections.now_ms()
        names = set(await self._hubspot.property_names(portal_id))
        if not names:
            raise PortalFailure(kind="undecodable", detail="no call property at all")
        lost = set() if known is None else set(known.names) - names
        if lost:
            names |= lost - set(await self._hubspot.property_names(portal_id, archived=True))
        return Listed(tuple(sorted(names)), listed_at)
