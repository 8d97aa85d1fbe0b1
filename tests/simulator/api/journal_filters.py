"""Managing the Webhooks Journal: filters, and snapshots of records."""

import msgspec
from litestar import Response, delete, get, post

from tests.simulator.answers import answer, invalid, not_found, nothing, read_body
from tests.simulator.api.journal import for_journal
from tests.simulator.api.journal_subscriptions import SUBSCRIPTIONS, find_subscription
from tests.simulator.api.reading import whole_number
from tests.simulator.caller import Caller, HubSpotRequest
from tests.simulator.model.calls import CALL_TYPE
from tests.simulator.model.journal_subscriptions import Filter, KeptFilter
from tests.simulator.snapshots import Snapshot

_SNAPSHOTS = ["/webhooks-journal/snapshots/{version:str}/crm", "/webhooks/v4/snapshots/crm"]
_STATUS = [
    "/webhooks-journal/journal/{version:str}/status/{status_id:str}",
    "/webhooks-journal/journal-local/{version:str}/status/{status_id:str}",
]
_MOST_SNAPSHOTS = 100


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


@post(
    [f"{base}/filters" for base in SUBSCRIPTIONS],
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
    [f"{base}/filters/subscription/{{subscription_id:str}}" for base in SUBSCRIPTIONS],
    operation="journal.filters",
    family="subscriptions",
)
async def list_filters(request: HubSpotRequest) -> Response[bytes]:
    """Return the filters of a subscription."""
    caller = for_journal(request)
    subscription = find_subscription(caller)
    filters = caller.simulator.journal.subscriptions.filters.values()
    return answer([kept for owner, kept in filters if owner == subscription.id])


_FILTER = [f"{base}/filters/{{filter_id:str}}" for base in SUBSCRIPTIONS]


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
    create_filter,
    list_filters,
    get_filter,
    remove_filter,
    take_snapshots,
    snapshot_status,
]
