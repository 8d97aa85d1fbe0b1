"""What HubSpot says about a change."""

import msgspec
import pytest

from tests.simulator.model.account import Account
from tests.simulator.model.calls import Actor, Link
from tests.simulator.model.subscriptions import SUBSCRIBED
from tests.simulator.simulator import Simulator
from tests.simulator_tests.conftest import START, Receiver

Events = list[dict[str, object]]


@pytest.fixture
def account(simulator: Simulator) -> Account:
    """Return the first account."""
    return simulator.world.accounts[simulator.settings.portal_id]


async def told(simulator: Simulator, receiver: Receiver) -> Events:
    """Return what came since the last time."""
    await simulator.delivery.quiet()
    events = receiver.events
    receiver.requests.clear()
    return events


async def test_a_creation_is_one_notification_and_one_per_subscribed_property(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """Twenty properties make 21 notifications of the same moment, in no order."""
    account.create(dict.fromkeys(SUBSCRIBED, "1") | {"hs_call_location": "here"}, Actor("IMPORT"))
    events = await told(simulator, receiver)
    assert len(events) == 21
    assert {event["occurredAt"] for event in events} == {START}
    assert {event["objectTypeId"] for event in events} == {"0-48"}
    assert {event["changeSource"] for event in events} == {"IMPORT"}
    assert {event.get("propertyName") for event in events} == {None, *SUBSCRIBED}
    assert events[0].get("changeFlag") != "CREATED"


async def test_fields_are_those_of_captured_notifications(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """A property change has exactly the fields, in exactly the order, of a captured one."""
    call = account.create({})
    await told(simulator, receiver)
    account.update(call.id, {"hs_call_title": "Hi"}, Actor("CRM_UI", "userId:75514748"))
    (event,) = await told(simulator, receiver)
    assert list(event) == [
        *("eventId", "subscriptionId", "portalId", "appId", "occurredAt", "subscriptionType"),
        *("attemptNumber", "objectId", "objectTypeId", "propertyName", "propertyValue"),
        *("changeSource", "sourceId", "isSensitive"),
    ]
    assert (event["propertyValue"], event["attemptNumber"]) == ("Hi", 0)
    assert event["sourceId"] == "userId:75514748"


async def test_the_other_kinds(simulator: Simulator, account: Account, receiver: Receiver) -> None:
    """Deletion, restore, merge and both sides of an association are told as HubSpot does."""
    first, second = account.create({}), account.create({})
    await told(simulator, receiver)
    account.archive(second.id)
    account.restore(second.id)
    account.associate(first.id, Link("contacts", 101, 194))
    account.dissociate(first.id, Link("contacts", 101, 194))
    account.merge(first.id, [second.id])
    events = await told(simulator, receiver)
    by_kind: dict[object, Events] = {}
    for event in events:
        by_kind.setdefault(event["subscriptionType"], []).append(event)
    assert by_kind["object.deletion"][0]["changeFlag"] == "DELETED"
    assert "changeFlag" not in by_kind["object.restore"][0]
    merge = by_kind["object.merge"][0]
    assert merge["primaryObjectId"] == merge["newObjectId"] == merge["objectId"] == first.id
    assert merge["mergedObjectIds"] == [second.id]
    links = by_kind["object.associationChange"]
    assert sorted((e["fromObjectTypeId"], e["associationRemoved"]) for e in links) == [
        ("0-1", False),
        ("0-1", True),
        ("0-48", False),
        ("0-48", True),
    ]
    assert all("objectId" not in event for event in links)


async def test_a_merge_into_a_new_record_names_all_three(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """The new record's id stands apart from the primary's."""
    first, second = account.create({}), account.create({})
    await told(simulator, receiver)
    survivor = account.merge(first.id, [second.id], new_record=True)
    events = await told(simulator, receiver)
    merge = next(e for e in events if e["subscriptionType"] == "object.merge")
    assert merge["primaryObjectId"] == first.id
    assert merge["mergedObjectIds"] == [second.id]
    assert merge["newObjectId"] == survivor.id


async def test_subscriptions_decide(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """A paused subscription and a property without one are not told."""
    for item in [*simulator.app.subscriptions.values()]:
        if item.event_type == "object.creation":
            simulator.app.subscribe(msgspec.structs.replace(item, active=False))
    account.create({"hs_call_title": "Hi", "hs_call_location": "here"})
    events = await told(simulator, receiver)
    assert [event["propertyName"] for event in events] == ["hs_call_title"]


async def test_the_test_button(simulator: Simulator, receiver: Receiver) -> None:
    """The Test button sends event 100 about call 123, flagged NEW."""
    portal = simulator.settings.portal_id
    simulator.notify(portal, {}, test_button=True)
    (event,) = await told(simulator, receiver)
    assert (event["eventId"], event["objectId"]) == (100, 123)
    assert (event["changeFlag"], event["changeSource"]) == ("NEW", "CRM")


async def test_notifications_of_unknown_kinds(simulator: Simulator, receiver: Receiver) -> None:
    """Any field can be set, invented or left out."""
    fields = {"subscriptionType": "object.teleported", "objectId": None, "novelty": [1, 2]}
    simulator.notify(simulator.settings.portal_id, fields)
    (event,) = await told(simulator, receiver)
    assert (event["subscriptionType"], event["novelty"]) == ("object.teleported", [1, 2])
    assert "objectId" not in event


async def test_optional_fields_can_be_missing(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """Bare notifications lack source, flag and sensitivity; classic ones say `eventType`."""
    simulator.turn(bare_share=1.0, classic_names=True)
    account.create({"hs_call_title": "Hi"})
    for event in await told(simulator, receiver):
        assert {"changeSource", "changeFlag", "sourceId", "isSensitive"}.isdisjoint(event)
        assert "subscriptionType" not in event
        assert str(event["eventType"]).startswith("object.")
