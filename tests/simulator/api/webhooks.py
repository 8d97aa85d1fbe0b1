"""Webhook settings and subscriptions of an app, under every prefix that HubSpot gave them."""

import msgspec
from litestar import Response, delete, get, patch, post, put

from tests.simulator.answers import (
    Json,
    answer,
    invalid,
    not_found,
    nothing,
    read_body,
)
from tests.simulator.api.batch import batch_answer, check_size
from tests.simulator.api.reading import whole_number
from tests.simulator.clock import iso
from tests.simulator.gate import Caller, HubSpotRequest, caller_of
from tests.simulator.model.apps import MOST_SUBSCRIPTIONS, UNSUBSCRIBABLE, App
from tests.simulator.model.calls import CALL_TYPE
from tests.simulator.model.subscriptions import Subscription

BASES = ["/webhooks/{version:str}/{app_id:str}", "/app-webhooks/{version:str}/{app_id:str}"]
OLD, NEW = ("v3", "2026-03"), ("2025-09", "2026-09", "2027-03-beta")
LEAST_CONCURRENCY = 6

KINDS = (
    *("object.creation", "object.deletion", "object.merge", "object.restore"),
    *("object.propertyChange", "object.associationChange"),
)


class Throttling(msgspec.Struct, frozen=True, rename="camel"):
    """How many requests may be in flight per account."""

    max_concurrent_requests: int = 10
    period: str | None = None


class SettingsChange(msgspec.Struct, frozen=True, rename="camel"):
    """The body of new settings."""

    target_url: str
    throttling: Throttling = Throttling()


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


def app_of(request: HubSpotRequest) -> tuple[Caller, App]:
    """Return who asks, and the app of the path.

    Raises:
        HubSpotError: 404, there is no such version or app.
    """
    caller = caller_of(request)
    known = OLD if request.scope["path"].startswith("/webhooks/") else NEW
    number = whole_number(caller.params["app_id"])
    for app in caller.simulator.authority.apps.values():
        if app.id == number and caller.version in known:
            return caller, app
    raise not_found()


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


def shown_settings(caller: Caller, app: App) -> dict[str, Json]:
    """Return the settings as the API writes them."""
    made, changed = app.settings_at
    return {
        "targetUrl": app.target_url,
        "throttling": {
            "maxConcurrentRequests": caller.simulator.knobs.in_flight,
            "period": "SECONDLY",
        },
        "createdAt": iso(made),
        "updatedAt": iso(changed),
    }


@get([f"{base}/settings" for base in BASES], operation="webhooks.settings")
async def get_settings(request: HubSpotRequest) -> Response[bytes]:
    """Return where notifications go."""
    caller, app = app_of(request)
    if not app.target_url:
        raise not_found()
    return answer(shown_settings(caller, app))


@put([f"{base}/settings" for base in BASES], operation="webhooks.change_settings")
async def change_settings(request: HubSpotRequest) -> Response[bytes]:
    """Say where notifications go, and how many at once."""
    caller, app = app_of(request)
    body = read_body(await request.body(), SettingsChange)
    if body.throttling.max_concurrent_requests < LEAST_CONCURRENCY:
        message = "maxConcurrentRequests must be greater than 5"
        raise invalid(message)
    if not body.target_url.startswith(("https://", "http://")):
        message = "targetUrl must be a URL"
        raise invalid(message)
    app.target_url = body.target_url
    caller.simulator.turn(in_flight=body.throttling.max_concurrent_requests)
    app.settings_at = (app.settings_at[0] or caller.came_at, caller.came_at)
    return answer(shown_settings(caller, app))


@delete(
    [f"{base}/settings" for base in BASES], operation="webhooks.clear_settings", status_code=200
)
async def clear_settings(request: HubSpotRequest) -> Response[bytes]:
    """Send no notifications any more: 204."""
    _, app = app_of(request)
    app.target_url = ""
    return nothing()


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
    get_settings,
    change_settings,
    clear_settings,
    list_subscriptions,
    subscribe,
    get_subscription,
    change_subscription,
    unsubscribe,
    change_subscriptions,
]
