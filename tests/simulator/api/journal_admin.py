"""Managing the Webhooks Journal: subscriptions, filters, snapshots."""

from typing import Literal

import msgspec
from litestar import Response, delete, get, post
from msgspec import UNSET, UnsetType

from tests.simulator.answers import answer, invalid, not_found, nothing, read_body
from tests.simulator.api.journal import for_journal
from tests.simulator.api.reading import whole_number
from tests.simulator.clock import iso
from tests.simulator.gate import Caller, HubSpotRequest
from tests.simulator.model.calls import CALL_TYPE
from tests.simulator.model.journal import INSTALLED, UNINSTALLED
from tests.simulator.model.journal_subscriptions import (
    Action,
    Filter,
    JournalSubscription,
    KeptFilter,
    Kind,
)
from tests.simulator.snapshots import Snapshot

_SUBSCRIPTIONS = ["/webhooks-journal/subscriptions/{version:str}", "/webhooks/v4/subscriptions"]
_SNAPSHOTS = ["/webhooks-journal/snapshots/{version:str}/crm", "/webhooks/v4/snapshots/crm"]
_STATUS = [
    "/webhooks-journal/journal/{version:str}/status/{status_id:str}",
    "/webhooks-journal/journal-local/{version:str}/status/{status_id:str}",
]
_MOST_SNAPSHOTS = 100


class Upsert(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a subscription of any type."""

    subscription_type: Kind
    portal_id: int | UnsetType = UNSET
    object_type_id: str | UnsetType = UNSET
    actions: list[Action] | UnsetType = UNSET
    properties: list[str] | UnsetType | None = UNSET
    object_ids: list[int] | UnsetType | None = UNSET
    associated_object_type_ids: list[str] | UnsetType | None = UNSET
    list_ids: list[int] | UnsetType | None = UNSET
    event_type_id: Literal["4-1909196", "4-1916193"] | UnsetType = UNSET


class FilterCreate(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a filter."""

    subscription_id: int
    filter: Filter


class SnapshotRequest(msgspec.Struct, frozen=True, rename="camel"):
    """One record to be written down."""

    portal_id: int
    object_id: int
    object_type_id: str
    properties: list[str] = []


class SnapshotRequests(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a snapshot request."""

    snapshot_requests: list[SnapshotRequest]


@get(_SUBSCRIPTIONS, operation="journal.subscriptions", family="subscriptions")
async def list_subscriptions(request: HubSpotRequest) -> Response[bytes]:
    """Return all subscriptions."""
    subscriptions = for_journal(request).simulator.journal.subscriptions
    return answer({"results": [*subscriptions.by_id.values()]})


@post(_SUBSCRIPTIONS, operation="journal.subscribe", family="subscriptions", status_code=200)
async def subscribe(request: HubSpotRequest) -> Response[bytes]:
    """Add a subscription; one of the same account, type and object type is replaced."""
    caller = for_journal(request)
    body = read_body(await request.body(), Upsert)
    made = _made(caller, body)
    caller.simulator.journal.subscriptions.put(made)
    return answer(made)


def _made(caller: Caller, body: Upsert) -> JournalSubscription:
    if body.subscription_type == "APP_LIFECYCLE_EVENT":
        if body.event_type_id is UNSET:
            message = f"eventTypeId must be {INSTALLED} or {UNINSTALLED}"
            raise invalid(message)
        object_type: str = body.event_type_id
        action: Action = "APP_INSTALL" if object_type == INSTALLED else "APP_UNINSTALL"
        actions: list[Action] = [action]
    else:
        lists = body.subscription_type == "LIST_MEMBERSHIP"
        object_type = "0-45" if lists else body.object_type_id or ""
        actions = body.actions or []
        if body.portal_id is UNSET or not object_type or not actions:
            message = "portalId, objectTypeId and actions are required"
            raise invalid(message)
        if body.portal_id not in caller.simulator.world.accounts:
            message = f"The app is not installed in account {body.portal_id}"
            raise invalid(message)
    subscriptions, now = caller.simulator.journal.subscriptions, iso(caller.came_at)
    before = next(
        (
            item
            for item in subscriptions.by_id.values()
            if (item.subscription_type, item.portal_id, item.object_type_id)
            == (body.subscription_type, body.portal_id, object_type)
        ),
        None,
    )
    return JournalSubscription(
        before.id if before else subscriptions.new_id(),
        caller.grant.app_id if caller.grant else 0,
        body.subscription_type,
        before.created_at if before else now,
        now,
        actions,
        object_type,
        body.portal_id,
        body.properties or UNSET,
        body.object_ids or UNSET,
        body.associated_object_type_ids or UNSET,
        body.list_ids or UNSET,
    )


def _find(caller: Caller) -> JournalSubscription:
    subscriptions = caller.simulator.journal.subscriptions
    found = subscriptions.by_id.get(whole_number(caller.params["subscription_id"]) or 0)
    if found is None:
        raise not_found()
    return found


_ONE = [f"{base}/{{subscription_id:str}}" for base in _SUBSCRIPTIONS]


@get(_ONE, operation="journal.subscription", family="subscriptions")
async def get_subscription(request: HubSpotRequest) -> Response[bytes]:
    """Return one subscription."""
    return answer(_find(for_journal(request)))


@delete(_ONE, operation="journal.unsubscribe", family="subscriptions", status_code=200)
async def unsubscribe(request: HubSpotRequest) -> Response[bytes]:
    """Remove a subscription: 204."""
    caller = for_journal(request)
    caller.simulator.journal.subscriptions.remove(_find(caller).id)
    return nothing()


@delete(
    [f"{base}/portals/{{portal_id:str}}" for base in _SUBSCRIPTIONS],
    operation="journal.unsubscribe",
    family="subscriptions",
    status_code=200,
)
async def unsubscribe_portal(request: HubSpotRequest) -> Response[bytes]:
    """Remove all subscriptions of an account: 204."""
    caller = for_journal(request)
    subscriptions = caller.simulator.journal.subscriptions
    portal_id = whole_number(caller.params["portal_id"])
    gone = [item.id for item in subscriptions.by_id.values() if item.portal_id == portal_id]
    subscriptions.remove(*gone)
    return nothing()


@post(
    [f"{base}/filters" for base in _SUBSCRIPTIONS],
    operation="journal.filter",
    family="subscriptions",
    status_code=200,
)
async def create_filter(request: HubSpotRequest) -> Response[bytes]:
    """Add a filter to a subscription; it cannot be changed afterwards."""
    caller = for_journal(request)
    body = read_body(await request.body(), FilterCreate)
    subscriptions = caller.simulator.journal.subscriptions
    if body.subscription_id not in subscriptions.by_id:
        raise not_found()
    if not body.filter.conditions:
        message = "A filter needs at least one condition"
        raise invalid(message)
    kept = KeptFilter(subscriptions.new_id(), caller.came_at, body.filter)
    subscriptions.filters[kept.id] = body.subscription_id, kept
    return answer({"filterId": kept.id})


@get(
    [f"{base}/filters/subscription/{{subscription_id:str}}" for base in _SUBSCRIPTIONS],
    operation="journal.filters",
    family="subscriptions",
)
async def list_filters(request: HubSpotRequest) -> Response[bytes]:
    """Return the filters of a subscription."""
    caller = for_journal(request)
    subscription = _find(caller)
    filters = caller.simulator.journal.subscriptions.filters.values()
    return answer([kept for owner, kept in filters if owner == subscription.id])


_FILTER = [f"{base}/filters/{{filter_id:str}}" for base in _SUBSCRIPTIONS]


def _find_filter(caller: Caller) -> KeptFilter:
    filters = caller.simulator.journal.subscriptions.filters
    found = filters.get(whole_number(caller.params["filter_id"]) or 0)
    if found is None:
        raise not_found()
    return found[1]


@get(_FILTER, operation="journal.filters", family="subscriptions")
async def get_filter(request: HubSpotRequest) -> Response[bytes]:
    """Return one filter."""
    return answer(_find_filter(for_journal(request)))


@delete(_FILTER, operation="journal.unfilter", family="subscriptions", status_code=200)
async def remove_filter(request: HubSpotRequest) -> Response[bytes]:
    """Remove a filter: 204."""
    caller = for_journal(request)
    del caller.simulator.journal.subscriptions.filters[_find_filter(caller).id]
    return nothing()


@post(_SNAPSHOTS, operation="journal.snapshot", family="snapshots", status_code=200)
async def take_snapshots(request: HubSpotRequest) -> Response[bytes]:
    """Ask for records to be written into the journal as they are."""
    caller = for_journal(request)
    body = read_body(await request.body(), SnapshotRequests)
    if not 0 < len(body.snapshot_requests) <= _MOST_SNAPSHOTS:
        message = f"between 1 and {_MOST_SNAPSHOTS} snapshots can be asked for"
        raise invalid(message)
    responses = [
        {
            "portalId": item.portal_id,
            "objectId": item.object_id,
            "objectTypeId": item.object_type_id,
            "snapshotStatusId": caller.simulator.snapshots.order(
                item.portal_id,
                item.object_id if item.object_type_id == CALL_TYPE else 0,
                item.properties,
            ),
        }
        for item in body.snapshot_requests
    ]
    return answer({"snapshotResponses": responses})


@get(_STATUS, operation="journal.status", family="journal")
async def snapshot_status(request: HubSpotRequest) -> Response[bytes]:
    """Return how far a snapshot is."""
    caller = for_journal(request)
    found: Snapshot | None = caller.simulator.snapshots.find(caller.params["status_id"])
    if found is None:
        raise not_found()
    return answer(found)


ROUTES = [
    list_subscriptions,
    subscribe,
    get_subscription,
    unsubscribe,
    unsubscribe_portal,
    create_filter,
    list_filters,
    get_filter,
    remove_filter,
    take_snapshots,
    snapshot_status,
]
