"""What the journal is to hold: kept in order for every connected account.

The journal's subscriptions are per account, but for those to the app's life cycle. What is missing,
or was changed by somebody else, is made anew; of what is no longer wanted only what we have made is
removed, since another deployment may share the app.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.journal.api import JournalApi, Subscribed
from jobs.journal.entry import CALL_TYPE
from jobs.journal.place import Place

MOST_AT_ONCE: Final = 50
"""Requests of one go; what is left waits for the next one, so that reading goes on in between."""
_OBJECT_ACTIONS: Final = ("CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE")
_LINK_ACTIONS: Final = ("ASSOCIATION_ADDED", "ASSOCIATION_REMOVED")
_OF_THE_ACCOUNT: Final = frozenset({"forbidden", "no_such_path"})
"""Failures that say that the app is not in the account: others have their subscriptions anyway."""
_LIFECYCLE: Final = ("4-1909196", "4-1916193")

_log = structlog.get_logger(__name__)
_encoder: Final = msgspec.json.Encoder(order="sorted")


class Wanted(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A subscription to make, as its request's body: HubSpot's `SubscriptionUpsertRequest`."""

    subscription_type: str
    portal_id: int | None = None
    object_type_id: str | None = None
    event_type_id: str | None = None
    actions: tuple[str, ...] = ()
    properties: tuple[str, ...] | None = None
    object_ids: tuple[int, ...] | None = None
    associated_object_type_ids: tuple[str, ...] | None = None

    @property
    def text(self) -> str:
        """The body, always the same for the same wish."""
        return _encoder.encode(self).decode()

    def is_met_by(self, listed: Subscribed) -> bool:
        """Tell whether a subscription that was made for this still says so."""
        unlimited = not listed.properties
        return set(self.actions) <= set(listed.actions or self.actions) and (
            unlimited or set(self.properties or ()) <= set(listed.properties or ())
        )


def lifecycle() -> Iterator[Wanted]:
    """Yield what tells of the app's coming and going in any account."""
    for event_type_id in _LIFECYCLE:
        yield Wanted("APP_LIFECYCLE_EVENT", event_type_id=event_type_id, properties=())


def wanted_of(portal_id: int, properties: Sequence[str], types: Sequence[str]) -> Iterator[Wanted]:
    """Yield what tells of one account's calls.

    Args:
        portal_id: the account.
        properties: those that are read of its calls; changes of others are not told.
        types: object type ids whose associations are read; none = associations are not told.
    """
    yield Wanted(
        "OBJECT",
        portal_id,
        CALL_TYPE,
        actions=_OBJECT_ACTIONS,
        properties=tuple(sorted(properties)),
        object_ids=(),
    )
    if types:
        yield Wanted(
            "ASSOCIATION",
            portal_id,
            CALL_TYPE,
            actions=_LINK_ACTIONS,
            object_ids=(),
            associated_object_type_ids=tuple(sorted(types)),
        )
    yield Wanted("GDPR_PRIVACY_DELETION", portal_id, CALL_TYPE, actions=("GDPR_DELETE",))


class Wishes(msgspec.Struct, frozen=True):
    """All that is wanted now."""

    wanted: tuple[Wanted, ...]
    unsure: frozenset[int] = frozenset()
    """Accounts whose wishes are not known now: what was made for them stays."""


_decoder: Final = msgspec.json.Decoder(Wanted)


class Plan(msgspec.Struct, frozen=True):
    """What has to be done."""

    make: tuple[Wanted, ...]
    remove: tuple[int, ...]
    """Subscriptions that we made and nobody wants any more."""
    forget: tuple[int, ...]
    """Subscriptions that we made and that are gone."""


def plan(wishes: Wishes, listed: Collection[Subscribed], ours: Mapping[int, str]) -> Plan:
    """Compare what is wanted with what HubSpot lists and with what we know to have made."""
    there = {subscription.id: subscription for subscription in listed}
    wanted = {wish.text: wish for wish in wishes.wanted}
    met: set[str] = set()
    remove: list[int] = []
    for made, text in ours.items():
        if made not in there:
            continue
        wish = wanted.get(text)
        if wish is None:
            if _decoder.decode(text).portal_id not in wishes.unsure:
                remove.append(made)
        elif wish.is_met_by(there[made]):
            met.add(text)
    return Plan(
        make=tuple(wish for text, wish in wanted.items() if text not in met),
        remove=tuple(remove),
        forget=tuple(made for made in ours if made not in there),
    )


class Subscriptions:
    """Keeps the app's subscriptions in order."""

    def __init__(self, api: JournalApi, place: Place) -> None:
        self._api = api
        self._place = place
        self._refused: set[str] = set()

    async def keep(self, wishes: Wishes) -> bool:
        """Make what is missing and remove what is ours and stale; False if something is left.

        What HubSpot refuses is told once and tried again the next time: the app may yet be
        installed in the account.

        Raises:
            HubSpotError: HubSpot cannot be asked now.
            redis.RedisError: Redis is away.
        """
        todo = plan(wishes, await self._api.subscriptions(), await self._place.ours())
        for gone in todo.forget:
            await self._place.unmade(gone)
        # New ones come first: HubSpot may put one in the place of an old one, under the same id.
        replaced = {made for wish in todo.make[:MOST_AT_ONCE] if (made := await self._make(wish))}
        stale = [one for one in todo.remove if one not in replaced]
        for one in stale[:MOST_AT_ONCE]:
            await self._api.unsubscribe(one)
            await self._place.unmade(one)
        return len(todo.make) <= MOST_AT_ONCE and len(stale) <= MOST_AT_ONCE

    async def _make(self, wish: Wanted) -> int | None:
        try:
            made = await self._api.subscribe(wish.text.encode())
        except HubSpotError as refusal:
            if isinstance(refusal, PortalFailure) and refusal.kind not in _OF_THE_ACCOUNT:
                raise
            if wish.text not in self._refused:
                _log.warning(
                    "the journal tells nothing of this",
                    portal_id=wish.portal_id,
                    subscription=wish.subscription_type,
                    reason=str(refusal),
                )
            self._refused.add(wish.text)
            return None
        self._refused.discard(wish.text)
        await self._place.made(made, wish.text)
        return made
