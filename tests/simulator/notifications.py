"""What HubSpot says about a change: one notification per matching subscription."""

import random
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import UNSET, UnsetType

from tests.simulator.model.calls import CALL_TYPE, Change, Link
from tests.simulator.model.kinds import TO_CALL, TYPE_IDS
from tests.simulator.model.subscriptions import Subscription

_PLAIN: dict[str, tuple[str, str | UnsetType]] = {
    "archived": ("object.deletion", "DELETED"),
    "purged": ("object.deletion", "DELETED"),
    "erased": ("object.deletion", "DELETED"),
    "restored": ("object.restore", UNSET),
}


class Event(msgspec.Struct, omit_defaults=True, rename="camel", gc=False):
    """One notification; the fields in the order of captured ones."""

    event_id: int
    subscription_id: int
    portal_id: int
    app_id: int
    occurred_at: int
    subscription_type: str | UnsetType = UNSET
    event_type: str | UnsetType = UNSET
    attempt_number: int | UnsetType = UNSET
    object_id: int | UnsetType = UNSET
    object_type_id: str | UnsetType = UNSET
    property_name: str | UnsetType = UNSET
    property_value: str | UnsetType = UNSET
    change_flag: str | UnsetType = UNSET
    change_source: str | UnsetType = UNSET
    source_id: str | UnsetType = UNSET
    is_sensitive: bool | UnsetType = UNSET
    primary_object_id: int | UnsetType = UNSET
    merged_object_ids: tuple[int, ...] | UnsetType = UNSET
    new_object_id: int | UnsetType = UNSET
    number_of_properties_moved: int | UnsetType = UNSET
    from_object_id: int | UnsetType = UNSET
    from_object_type_id: str | UnsetType = UNSET
    to_object_id: int | UnsetType = UNSET
    to_object_type_id: str | UnsetType = UNSET
    association_type_id: int | UnsetType = UNSET
    association_category: str | UnsetType = UNSET
    association_removed: bool | UnsetType = UNSET
    is_primary_association: bool | UnsetType = UNSET
    extra: dict[str, object] | UnsetType = UNSET
    """Fields that HubSpot may invent; merged in when it is sent."""

    def as_sent(self) -> object:
        """Return what is written as JSON."""
        if self.extra is UNSET:
            return self
        whole: dict[str, object] = msgspec.to_builtins(self)
        return {n: v for n, v in whole.items() if n != "extra"} | self.extra


FIELDS = frozenset(field.encode_name for field in msgspec.structs.fields(Event))


class Notifier:
    """Turns changes of one account into the notifications of one app."""

    def __init__(self, app_id: int, portal_id: int, rng: random.Random) -> None:
        self.app_id = app_id
        self.portal_id = portal_id
        self._rng = rng
        self._ids: dict[tuple[str, str], int] = {}

    def subscribe(self, subscriptions: Iterable[Subscription]) -> None:
        """Follow these subscriptions from now on."""
        self._ids = {
            (item.event_type, item.property_name): item.id
            for item in subscriptions
            if item.active and item.object_type_id == CALL_TYPE
        }

    def of(self, change: Change) -> list[Event]:
        """Return the notifications of a change, in any order, all with its `occurredAt`."""
        events = [event for event in self._all(change) if event is not None]
        self._rng.shuffle(events)
        return events

    def _all(self, change: Change) -> Iterator[Event | None]:
        if change.kind in _PLAIN:
            kind, flag = _PLAIN[change.kind]
            yield self._object(change, kind, flag)
        elif change.kind == "created":
            yield self._object(change, "object.creation", "CREATED")
        elif change.kind == "absorbed":
            yield self._merge(change)
        elif change.link:
            yield self._association(change, change.link, from_call=True)
            yield self._association(change, change.link, from_call=False)
        for name, value in change.values.items():
            event = self._object(change, "object.propertyChange", UNSET, name)
            if event is not None:
                event.property_name, event.property_value, event.is_sensitive = name, value, False
                yield event

    def draft(self, kind: str, change: Change, name: str = "") -> Event | None:
        """Return the fields that every notification has; None without a subscription."""
        subscription_id = self._ids.get((kind, name))
        if subscription_id is None:
            return None
        return Event(
            self._rng.getrandbits(32),
            subscription_id,
            self.portal_id,
            self.app_id,
            change.at,
            kind,
            attempt_number=0,
            change_source=change.by.source,
            source_id=change.by.source_id or UNSET,
        )

    def free(self, change: Change, fields: Mapping[str, object], *, test: bool) -> Event:
        """Return a notification with these fields over or beside the usual ones."""
        usual = Event(
            100 if test else self._rng.getrandbits(32),
            min(self._ids.values(), default=1),
            self.portal_id,
            self.app_id,
            change.at,
            "object.creation" if test else "object.propertyChange",
            attempt_number=0,
            object_id=change.call_id or UNSET,
            object_type_id=CALL_TYPE,
            change_flag="NEW" if test else UNSET,
            change_source="CRM",
        )
        whole = msgspec.to_builtins(usual) | fields
        known = {name: value for name, value in whole.items() if value is not None}
        event = msgspec.convert(known, Event)
        event.extra = {name: value for name, value in known.items() if name not in FIELDS}
        return event

    def _object(
        self, change: Change, kind: str, flag: str | UnsetType, name: str = ""
    ) -> Event | None:
        event = self.draft(kind, change, name)
        if event is not None:
            event.object_id, event.object_type_id = change.call_id, CALL_TYPE
            event.change_flag = flag
        return event

    def _merge(self, change: Change) -> Event | None:
        event = self._object(change, "object.merge", UNSET)
        if event is not None:
            event.object_id = event.primary_object_id = change.primary_id
            event.new_object_id = change.call_id
            event.merged_object_ids = tuple(i for i in change.other_ids if i != change.primary_id)
            event.number_of_properties_moved = len(change.values)
        return event

    def _association(self, change: Change, link: Link, *, from_call: bool) -> Event | None:
        event = self.draft("object.associationChange", change)
        if event is None:
            return None
        ends = (change.call_id, CALL_TYPE), (link.to_id, TYPE_IDS[link.to_type])
        here, there = ends if from_call else ends[::-1]
        event.from_object_id, event.from_object_type_id = here
        event.to_object_id, event.to_object_type_id = there
        event.association_type_id = link.type_id if from_call else TO_CALL[link.to_type]
        event.association_category = "HUBSPOT_DEFINED"
        event.association_removed = change.kind == "dissociated"
        event.is_primary_association = False
        return event
