"""Managing the Webhooks Journal: its subscriptions."""

from typing import Literal

import msgspec
from litestar import Response, delete, get, post
from msgspec import UNSET, UnsetType

from tests.simulator.answers import answer, invalid, not_found, nothing, read_body
from tests.simulator.api.journal import for_journal
from tests.simulator.api.reading import whole_number
from tests.simulator.caller import Caller, HubSpotRequest
from tests.simulator.clock import iso
from tests.simulator.model.journal import INSTALLED, UNINSTALLED
from tests.simulator.model.journal_subscriptions import (
    Action,
    JournalSubscription,
    Kind,
)

SUBSCRIPTIONS = ["/webhooks-journal/subscriptions/{version:str}", "/webhooks/v4/subscriptions"]


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


@get(SUBSCRIPTIONS, operation="journal.subscriptions", family="subscriptions")
async def list_subscriptions(request: HubSpotRequest) -> Response[bytes]:
    """Return all subscriptions."""
    subscriptions = for_journal(request).simulator.journal.subscriptions
    return answer({"results": [*subscriptions.by_id.values()]})


@post(SUBSCRIPTIONS, operation="journal.subscribe", family="subscriptions", status_code=200)
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


def find_subscription(caller: Caller) -> JournalSubscription:
    """Return the subscription of the path.

    Raises:
        HubSpotError: 404, there is none of that id.
    """
    subscriptions = caller.simulator.journal.subscriptions
    found = subscriptions.by_id.get(whole_number(caller.params["subscription_id"]) or 0)
    if found is None:
        raise not_found()
    return found


_ONE = [f"{base}/{{subscription_id:str}}" for base in SUBSCRIPTIONS]


@get(_ONE, operation="journal.subscription", family="subscriptions")
async def get_subscription(request: HubSpotRequest) -> Response[bytes]:
    """Return one subscription."""
    return answer(find_subscription(for_journal(request)))


@delete(_ONE, operation="journal.unsubscribe", family="subscriptions", status_code=200)
async def unsubscribe(request: HubSpotRequest) -> Response[bytes]:
    """Remove a subscription: 204."""
    caller = for_journal(request)
    caller.simulator.journal.subscriptions.remove(find_subscription(caller).id)
    return nothing()


@delete(
    [f"{base}/portals/{{portal_id:str}}" for base in SUBSCRIPTIONS],
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


ROUTES = [
    list_subscriptions,
    subscribe,
    get_subscription,
    unsubscribe,
    unsubscribe_portal,
]
