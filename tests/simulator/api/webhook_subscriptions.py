"""Webhook subscriptions of an app."""

import msgspec
from litestar import Response, delete, get, patch, post

from tests.simulator.answers import Json, answer, invalid, not_found, nothing, read_body
from tests.simulator.api.batch import batch_answer, check_size
from tests.simulator.api.reading import whole_number
from tests.simulator.api.webhooks import BASES, app_of
from tests.simulator.caller import Caller, HubSpotRequest
from tests.simulator.clock import iso
from tests.simulator.model.apps import MOST_SUBSCRIPTIONS, UNSUBSCRIBABLE, App
from tests.simulator.model.calls import CALL_TYPE
from tests.simulator.model.subscriptions import Subscription

KINDS = (
    *("object.creation", "object.deletion", "object.merge", "object.restore"),
    *("object.propertyChange", "object.associationChange"),
)


class SubscriptionCreate(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a new subscription; it starts paused unless it says otherwise."""

    event_type: str
    active: bool = False
    property_name: str | None = None
    object_type_id: str | None = None


class SubscriptionPatch(msgspec.Struct, frozen=True):
    """The body of a changed subscription."""

    active: bool | None = None


class PatchInput(msgspec.Struct, frozen=True):
    """One input of a batch update."""

    id: int
    active: bool


class PatchInputs(msgspec.Struct, frozen=True):
    """The body of a batch update."""

    inputs: list[PatchInput]


def find(caller: Caller, app: App) -> Subscription:
    """Return the subscription of the path.

    Raises:
        HubSpotError: 404, the app has none of that id.
    """
    found = app.subscriptions.get(whole_number(caller.params["subscription_id"]) or 0)
    if found is None:
        raise not_found()
    return found


def shown(subscription: Subscription) -> dict[str, Json]:
    """Return a subscription as the API writes it."""
    body: dict[str, Json] = {
        "id": str(subscription.id),
        "eventType": subscription.event_type,
        "objectTypeId": subscription.object_type_id,
        "active": subscription.active,
        "createdAt": iso(subscription.created_at),
        "updatedAt": iso(subscription.updated_at),
    }
    if subscription.property_name:
        body["propertyName"] = subscription.property_name
    return body


@get([f"{base}/subscriptions" for base in BASES], operation="webhooks.subscriptions")
async def list_subscriptions(request: HubSpotRequest) -> Response[bytes]:
    """Return all subscriptions."""
    _, app = app_of(request)
    return answer({"results": [shown(item) for item in app.subscriptions.values()]})


@post([f"{base}/subscriptions" for base in BASES], operation="webhooks.subscribe")
async def subscribe(request: HubSpotRequest) -> Response[bytes]:
    """Subscribe: 201."""
    caller, app = app_of(request)
    body = read_body(await request.body(), SubscriptionCreate)
    _check(body, app)
    now = caller.came_at
    made = Subscription(
        id=max(app.subscriptions, default=app.id) + 1,
        event_type=body.event_type,
        property_name=body.property_name or "",
        object_type_id=body.object_type_id or CALL_TYPE,
        active=body.active,
        created_at=now,
        updated_at=now,
    )
    app.subscribe(made)
    return answer(shown(made), 201)


def _check(body: SubscriptionCreate, app: App) -> None:
    property_change = body.event_type == "object.propertyChange"
    if body.event_type not in KINDS:
        message = f"Unknown eventType {body.event_type[:80]!r}"
    elif body.object_type_id is None:
        message = "objectTypeId is required for object.* subscriptions"
    elif property_change != bool(body.property_name):
        message = "propertyName belongs to object.propertyChange, and to nothing else"
    elif body.property_name in UNSUBSCRIBABLE:
        message = f"{body.property_name} cannot be subscribed to"
    elif len(app.subscriptions) >= MOST_SUBSCRIPTIONS:
        message = f"An app may have {MOST_SUBSCRIPTIONS} subscriptions at most"
    else:
        return
    raise invalid(message)


ONE = [f"{base}/subscriptions/{{subscription_id:str}}" for base in BASES]


@get(ONE, operation="webhooks.subscription")
async def get_subscription(request: HubSpotRequest) -> Response[bytes]:
    """Return one subscription."""
    return answer(shown(find(*app_of(request))))


@patch(ONE, operation="webhooks.change_subscription")
async def change_subscription(request: HubSpotRequest) -> Response[bytes]:
    """Pause a subscription, or let it run."""
    caller, app = app_of(request)
    body, before = read_body(await request.body(), SubscriptionPatch), find(caller, app)
    active = before.active if body.active is None else body.active
    after = msgspec.structs.replace(before, active=active, updated_at=caller.came_at)
    app.subscribe(after)
    return answer(shown(after))


@delete(ONE, operation="webhooks.unsubscribe", status_code=200)
async def unsubscribe(request: HubSpotRequest) -> Response[bytes]:
    """Remove a subscription: 204."""
    caller, app = app_of(request)
    app.unsubscribe(find(caller, app).id)
    return nothing()


@post(
    [f"{base}/subscriptions/batch/update" for base in BASES],
    operation="webhooks.change_subscriptions",
    status_code=200,
)
async def change_subscriptions(request: HubSpotRequest) -> Response[bytes]:
    """Pause subscriptions, or let them run."""
    caller, app = app_of(request)
    body = read_body(await request.body(), PatchInputs)
    check_size(body.inputs)
    results: list[Json] = []
    for item in body.inputs:
        before = app.subscriptions.get(item.id)
        if before is None:
            raise not_found()
        after = msgspec.structs.replace(before, active=item.active, updated_at=caller.came_at)
        app.subscribe(after)
        results.append(shown(after))
    return batch_answer(caller, results)


ROUTES = [
    list_subscriptions,
    subscribe,
    get_subscription,
    change_subscription,
    unsubscribe,
    change_subscriptions,
]
