"""With which kinds of object an account's calls can be associated: `CALL_ASSOCIATIONS=*` there.

HubSpot lists the object types that calls can be associated with, custom objects included. Some of
them this token may not read: each is tried, and left out if HubSpot refuses it, since a read with
one refused kind would fail as a whole. A list that lacks a kind is no reason to read less, for it
may be half of one: a kind leaves when HubSpot refuses it.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import structlog

from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.hubspot.kinds import CALLS, NAMES, TYPE_IDS, type_id_of
from jobs.hubspot.listings import Listings
from jobs.stream.discovery import failure_to_list
from jobs.stream.projection import Listed, Projections

REFUSED_S: Final = 86_400.0
"""A kind that HubSpot refused is tried again after so long."""
_UNTOLD: Final = frozenset({"forbidden", "no_such_path"})
"""Failures by which HubSpot does not list the types, and would not the next time."""

_log = structlog.get_logger(__name__)


class Lister(Protocol):
    """Asks HubSpot about associations, as `jobs.hubspot.client.HubSpot` does."""

    async def associated_types(self, portal_id: int) -> tuple[str, ...]:
        """Return the ids of the types that calls can be associated with; raises HubSpotError."""
        ...

    async def may_associate(self, portal_id: int, kind: str) -> bool:
        """Tell whether associations with a kind can be read; raises PortalFailure."""
        ...


class Kinds:
    """The kinds of all accounts, as this process knows them."""

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
        self._clock = clock
        self._listings: Listings[Listed] = Listings("kinds of association", clock)
        self._refused: dict[tuple[int, str], float] = {}

    async def associations(self, portal_id: int) -> Listed:
        """Return the account's kinds: as HubSpot lists them, or last did for any process.

        Raises:
            PortalFailure: HubSpot cannot be asked, and nobody ever knew them.
            redis.RedisError: Redis is away.
        """
        try:
            return await self._listings.get(portal_id, partial(self._ask, portal_id))
        except HubSpotError as error:
            listed = await self._projections.listed(portal_id, "associations")
            if listed is not None:
                return listed
            failure = error
        raise failure_to_list(failure, "kinds of association not listed")

    async def _ask(self, portal_id: int, last: Listed | None) -> Listed:
        known = last or await self._projections.listed(portal_id, "associations")
        before = {type_id_of(name) for name in known.names} if known else set[str]()
        # Before asking: a list that was asked for later must never look like the earlier one.
        listed_at = await self._projections.now_ms()
        types = {*await self._types(portal_id), *before} - {CALLS}
        names: list[str] = []
        refused: list[str] = []
        for type_id in sorted(types):
            if type_id not in before and self._is_refused(portal_id, type_id):
                continue
            name = await self._name(portal_id, type_id)
            if name is not None:
                names.append(name)
            else:
                self._refused[portal_id, type_id] = self._clock() + REFUSED_S
                refused.append(NAMES.get(type_id, type_id))
        if refused:
            _log.warning("associations that may not be read", portal_id=portal_id, kinds=refused)
        return Listed(tuple(sorted(names)), listed_at)

    async def _types(self, portal_id: int) -> tuple[str, ...]:
        """Return the ids that HubSpot lists, or those of its own types where it lists none."""
        own = tuple(TYPE_IDS.values())
        try:
            return await self._hubspot.associated_types(portal_id) or own
        except HubSpotError as error:
            if isinstance(error, PortalFailure) and error.kind not in _UNTOLD:
                raise
            _log.info("types not listed: trying all", portal_id=portal_id, reason=str(error))
            return own

    async def _name(self, portal_id: int, type_id: str) -> str | None:
        """Return the name under which a type can be read; None if it cannot."""
        for name in dict.fromkeys((NAMES.get(type_id, type_id), type_id)):
            if await self._hubspot.may_associate(portal_id, name):
                return name
        return None

    def _is_refused(self, portal_id: int, type_id: str) -> bool:
        return self._clock() < self._refused.get((portal_id, type_id), 0.0)
