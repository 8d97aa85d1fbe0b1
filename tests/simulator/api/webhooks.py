"""Webhook settings and subscriptions of an app, under every prefix that HubSpot gave them."""

import msgspec
from litestar import Response, delete, get, put

from tests.simulator.answers import (
    Json,
    answer,
    invalid,
    not_found,
    nothing,
    read_body,
)
from tests.simulator.api.reading import whole_number
from tests.simulator.caller import Caller, HubSpotRequest, caller_of
from tests.simulator.clock import iso
from tests.simulator.model.apps import App

BASES = ["/webhooks/{version:str}/{app_id:str}", "/app-webhooks/{version:str}/{app_id:str}"]
OLD, NEW = ("v3", "2026-03"), ("2025-09", "2026-09", "2027-03-beta")
LEAST_CONCURRENCY = 6


class Throttling(msgspec.Struct, frozen=True, rename="camel"):
    """How many requests may be in flight per account."""

    max_concurrent_requests: int = 10
    period: str | None = None


class SettingsChange(msgspec.Struct, frozen=True, rename="camel"):
    """The body of new settings."""

    target_url: str
    throttling: Throttling = Throttling()


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


ROUTES = [get_settings, change_settings, clear_settings]
