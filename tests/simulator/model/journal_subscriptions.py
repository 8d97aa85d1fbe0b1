"""What the journal is to hold: subscriptions per account, and filters on them."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from tests.simulator.model.calls import CALL_TYPE, Call, Change
from tests.simulator.model.kinds import TYPE_IDS

Action = Literal[
    "CREATE",
    "UPDATE",
    "DELETE",
    "MERGE",
    "RESTORE",
    "ASSOCIATION_ADDED",
    "ASSOCIATION_REMOVED",
    "SNAPSHOT",
    "APP_INSTALL",
    "APP_UNINSTALL",
    "ADDED_TO_LIST",
    "REMOVED_FROM_LIST",
    "GDPR_DELETE",
]
Kind = Literal[
    "OBJECT",
    "ASSOCIATION",
    "APP_LIFECYCLE_EVENT",
    "LIST_MEMBERSHIP",
    "GDPR_PRIVACY_DELETION",
]
Operator = Literal[
    "EQ",
    "N_EQ",
    "LT",
    "GT",
    "LTE",
    "GTE",
    "CONTAINS",
    "STARTS_WITH",
    "ENDS_WITH",
    "IN",
    "NOT_IN",
    "IS_EMPTY",
    "IS_NOT_EMPTY",
]


class JournalSubscription(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One subscription, as the API writes it."""

    id: int
    app_id: int
    subscription_type: Kind
    created_at: str
    updated_at: str
    actions: Sequence[Action]
    object_type_id: str
    portal_id: int | UnsetType = UNSET
    properties: Sequence[str] | UnsetType = UNSET
    object_ids: Sequence[int] | UnsetType = UNSET
    associated_object_type_ids: Sequence[str] | UnsetType = UNSET
    list_ids: Sequence[int] | UnsetType = UNSET


class Condition(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One condition of a filter."""

    filter_type: Literal["CRM_OBJECT_PROPERTY"]
    property: str
    operator: Operator
    value: str | UnsetType = UNSET
    values: Sequence[str] | UnsetType = UNSET

    def holds(self, call: Call) -> bool:
        """Return whether a call meets it."""
        found = call.values.get(self.property, "")
        wanted = self.value or ""
        options = self.values or ()
        return _JUDGES[self.operator](found, wanted, options)


def _order(found: str, wanted: str) -> int:
    """Return how two values compare, as numbers if they are: below, at or above 0."""
    try:
        left, right = float(found), float(wanted)
    except ValueError:
        return (found > wanted) - (found < wanted)
    return (left > right) - (left < right)


_JUDGES: dict[str, Callable[[str, str, Sequence[str]], bool]] = {
    "EQ": lambda found, wanted, _: found == wanted,
    "N_EQ": lambda found, wanted, _: found != wanted,
    "LT": lambda found, wanted, _: bool(found) and _order(found, wanted) < 0,
    "GT": lambda found, wanted, _: bool(found) and _order(found, wanted) > 0,
    "LTE": lambda found, wanted, _: bool(found) and _order(found, wanted) <= 0,
    "GTE": lambda found, wanted, _: bool(found) and _order(found, wanted) >= 0,
    "CONTAINS": lambda found, wanted, _: wanted in found,
    "STARTS_WITH": lambda found, wanted, _: found.startswith(wanted),
    "ENDS_WITH": lambda found, wanted, _: found.endswith(wanted),
    "IN": lambda found, _, options: found in options,
    "NOT_IN": lambda found, _, options: found not in options,
    "IS_EMPTY": lambda found, _, __: not found,
    "IS_NOT_EMPTY": lambda found, _, __: bool(found),
}


class Filter(msgspec.Struct, frozen=True):
    """Conditions that must all be met."""

    conditions: Sequence[Condition]


class KeptFilter(msgspec.Struct, frozen=True, rename="camel"):
    """A filter of a subscription, as the API writes it; its time is in epoch ms."""

    id: int
    created_at: int
    filter: Filter


class JournalSubscriptions:
    """All subscriptions and filters of an app."""

    def __init__(self) -> None:
        self.by_id: dict[int, JournalSubscription] = {}
        self.filters: dict[int, tuple[int, KeptFilter]] = {}
        """Subscription id and filter by filter id."""
        self.portals: dict[int, list[JournalSubscription]] = {}
        self._last_id = 0

    def new_id(self) -> int:
        """Return an id for a subscription or a filter."""
        self._last_id += 1
        return self._last_id

    def put(self, subscription: JournalSubscription) -> None:
        """Add a subscription, or put it in the place of the one of its id."""
        self.by_id[subscription.id] = subscription
        self._arrange()

    def remove(self, *subscription_ids: int) -> None:
        """Remove subscriptions and their filters."""
        for subscription_id in subscription_ids:
            self.by_id.pop(subscription_id, None)
        self.filters = {key: f for key, f in self.filters.items() if f[0] in self.by_id}
        self._arrange()

    def _arrange(self) -> None:
        self.portals = {}
        for subscription in self.by_id.values():
            if subscription.portal_id is not UNSET:
                self.portals.setdefault(subscription.portal_id, []).append(subscription)

    def want_event(self, event_type_id: str) -> bool:
        """Return whether an app's life cycle is to be told."""
        return any(item.object_type_id == event_type_id for item in self.by_id.values())

    def want(self, portal_id: int, kind: str, action: str, call: Call, change: Change) -> bool:
        """Return whether any subscription wants a change."""
        return any(
            item.subscription_type == kind
            and action in item.actions
            and item.object_type_id == CALL_TYPE
            and (not item.object_ids or call.id in item.object_ids)
            and self._detail(item, action, call, change)
            for item in self.portals.get(portal_id, ())
        )

    def _detail(self, item: JournalSubscription, action: str, call: Call, change: Change) -> bool:
        link = change.link
        if link:
            kinds = item.associated_object_type_ids or ()
            return not kinds or TYPE_IDS[link.to_type] in kinds
        names = item.properties or ()
        if action == "UPDATE" and names and not any(name in change.values for name in names):
            return False
        if action in ("CREATE", "UPDATE"):
            filters = [kept for owner, kept in self.filters.values() if owner == item.id]
            return not filters or any(
                all(condition.holds(call) for condition in kept.filter.conditions)
                for kept in filters
            )
        return True
