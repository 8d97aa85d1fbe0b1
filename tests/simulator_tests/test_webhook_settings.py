"""Managing webhook settings and subscriptions through the API."""

import pytest

from tests.simulator.model.subscriptions import Subscription
from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Api
from tests.simulator_tests.conftest import Receiver


@pytest.fixture(
    params=["webhooks/v3", "webhooks/2026-03", "app-webhooks/2025-09", "app-webhooks/2026-09"]
)
def base(request: pytest.FixtureRequest, simulator: Simulator) -> str:
    """Return where the settings are, under each prefix."""
    return f"/{request.param}/{simulator.app.id}"


async def test_settings(api: Api, simulator: Simulator, base: str) -> None:
    """Target and concurrency can be set, read and taken away."""
    assert (await api.get(f"{base}/settings")).status == 404
    body = {"targetUrl": "https://example.com/hook", "throttling": {"maxConcurrentRequests": 20}}
    assert (await api.ask("PUT", f"{base}/settings", body)).status == 200
    shown = (await api.get(f"{base}/settings")).json
    assert shown["targetUrl"] == simulator.app.target_url == "https://example.com/hook"
    assert shown["throttling"]["maxConcurrentRequests"] == simulator.knobs.in_flight == 20
    few = body | {"throttling": {"maxConcurrentRequests": 5}}
    assert (await api.ask("PUT", f"{base}/settings", few)).status == 400
    assert (await api.ask("DELETE", f"{base}/settings")).status == 204
    assert simulator.app.target_url == ""


async def test_a_new_subscription_is_paused_until_it_is_activated(
    api: Api, simulator: Simulator, receiver: Receiver, base: str
) -> None:
    """Only an active subscription is told, and only until it is removed."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    call = account.create({})
    wanted = {
        "eventType": "object.propertyChange",
        "objectTypeId": "0-48",
        "propertyName": "hs_call_location",
    }
    made = await api.post(f"{base}/subscriptions", wanted)
    assert (made.status, made.json["active"]) == (201, False)
    one = f"{base}/subscriptions/{made.json['id']}"
    for place, active in enumerate((False, True, False)):
        if place:
            assert (await api.ask("PATCH", one, {"active": active})).json["active"] is active
        account.update(call.id, {"hs_call_location": f"place {place}"})
    batch = {"inputs": [{"id": int(made.json["id"]), "active": True}]}
    assert (await api.post(f"{base}/subscriptions/batch/update", batch)).status == 200
    account.update(call.id, {"hs_call_location": "last"})
    assert (await api.ask("DELETE", one)).status == 204
    account.update(call.id, {"hs_call_location": "untold"})
    await simulator.delivery.quiet()
    told = [e["propertyValue"] for e in receiver.events if "propertyValue" in e]
    assert sorted(str(value) for value in told) == ["last", "place 1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"eventType": "call.creation", "objectTypeId": "0-48"},
        {"eventType": "object.creation"},
        {"eventType": "object.propertyChange", "objectTypeId": "0-48"},
        {"eventType": "object.creation", "objectTypeId": "0-48", "propertyName": "x"},
        {
            "eventType": "object.propertyChange",
            "objectTypeId": "0-48",
            "propertyName": "hs_lastmodifieddate",
        },
    ],
)
async def test_wrong_subscriptions_are_refused(
    api: Api, simulator: Simulator, wrong: dict[str, str]
) -> None:
    """There is no `call.*`; a property belongs to property changes; some cannot be had."""
    path = f"/webhooks/v3/{simulator.app.id}/subscriptions"
    assert (await api.post(path, wrong)).status == 400


async def test_a_thousand_subscriptions_are_enough(api: Api, simulator: Simulator) -> None:
    """An app has a thousand subscriptions at most."""
    path = f"/webhooks/v3/{simulator.app.id}/subscriptions"
    for number in range(1_000 - len(simulator.app.subscriptions)):
        item = Subscription(id=number + 1, event_type="object.creation")
        simulator.app.subscriptions[item.id] = item
    more = {"eventType": "object.creation", "objectTypeId": "0-48"}
    assert (await api.post(path, more)).status == 400
    assert len((await api.get(path)).results) == 1_000


async def test_a_developer_key_will_do(api: Api, simulator: Simulator) -> None:
    """The management endpoints take `hapikey` as well; another app's id is 404."""
    path = f"/webhooks/v3/{simulator.app.id}/subscriptions"
    assert (await api.get(f"{path}?hapikey={simulator.developer_key}", token="")).status == 200
    assert (await api.get(path, token="")).status == 401
    assert (await api.get("/webhooks/v3/1/subscriptions")).status == 404
