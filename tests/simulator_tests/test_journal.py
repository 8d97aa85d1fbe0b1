"""The Webhooks Journal: what a reader finds, and when it does not any more."""

import pytest

from tests.simulator.model.account import Account
from tests.simulator.model.calls import Link
from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Answer, Api, Json
from tests.simulator_tests.tour import app_token

BASE = "/webhooks-journal/journal/2026-03"
SUBSCRIPTIONS = "/webhooks-journal/subscriptions/2026-03"
ACTIONS = ["CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE"]


class Reader:
    """Somebody who reads the journal."""

    def __init__(self, api: Api, token: str, simulator: Simulator) -> None:
        self.api = api
        self.token = token
        self.simulator = simulator

    async def get(self, path: str) -> Answer:
        """Ask for something under the journal."""
        return await self.api.get(f"{BASE}/{path}", token=self.token)

    async def subscribe(self, **more: object) -> Json:
        """Subscribe to the first account's calls."""
        wanted = {
            "subscriptionType": "OBJECT",
            "portalId": self.simulator.settings.portal_id,
            "objectTypeId": "0-48",
            "actions": ACTIONS,
            "properties": [],
            "objectIds": [],
        }
        return (await self.api.post(SUBSCRIPTIONS, wanted | more, token=self.token)).json

    async def file(self, pointer: Json) -> Json:
        """Fetch a file by its URL."""
        url = str(pointer["url"]).removeprefix(self.api.url)
        return (await self.api.get(url, token="")).json

    async def everything(self) -> list[Json]:
        """Return all events, file by file, as a reader with a cursor finds them."""
        answer, events = await self.get("earliest"), list[Json]()
        while answer.status == 200:
            events += (await self.file(answer.json))["journalEvents"]
            answer = await self.get(f"offset/{answer.json['currentOffset']}/next")
        assert answer.status == 204
        return events


@pytest.fixture
async def reader(api: Api, simulator: Simulator) -> Reader:
    """Return a reader with an app's token."""
    return Reader(api, await app_token(api, simulator), simulator)


@pytest.fixture
def account(simulator: Simulator) -> Account:
    """Return the first account."""
    return simulator.world.accounts[simulator.settings.portal_id]


async def test_every_action_is_in_the_journal(reader: Reader, account: Account) -> None:
    """Creations and updates with their values, then deletion, restore and merge."""
    await reader.subscribe()
    call, other = account.create({"hs_call_title": "Hi"}), account.create({})
    account.update(call.id, {"hs_call_title": "Ho"})
    account.archive(call.id)
    account.restore(call.id)
    account.merge(call.id, [other.id])
    account.clock.move(1_000)
    events = await reader.everything()
    kinds = ["CREATE", "CREATE", "UPDATE", "DELETE", "RESTORE", "MERGE"]
    assert [event["action"] for event in events] == kinds
    assert events[2]["propertyChanges"]["hs_call_title"] == "Ho"
    assert events[0]["occurredAt"] == "2026-01-15T10:00:00.000Z"
    assert events[-1]["mergedObjectIds"] == [other.id]


async def test_subscriptions_choose(reader: Reader, account: Account) -> None:
    """Actions, properties, records and filters decide what is written."""
    first, second = account.create({"hs_call_title": "x"}), account.create({})
    made = await reader.subscribe(
        actions=["UPDATE"], properties=["hs_call_title"], objectIds=[first.id]
    )
    condition = {
        "filterType": "CRM_OBJECT_PROPERTY",
        "property": "hs_call_title",
        "operator": "STARTS_WITH",
        "value": "told",
    }
    body = {"subscriptionId": made["id"], "filter": {"conditions": [condition]}}
    await reader.api.post(f"{SUBSCRIPTIONS}/filters", body, token=reader.token)
    account.update(first.id, {"hs_call_body": "another property"})
    account.update(second.id, {"hs_call_title": "told, but another record"})
    account.update(first.id, {"hs_call_title": "filtered out"})
    account.update(first.id, {"hs_call_title": "told"})
    account.archive(first.id)
    account.clock.move(1_000)
    titles = [event["propertyChanges"]["hs_call_title"] for event in await reader.everything()]
    assert titles == ["told"]


async def test_associations_privacy_and_installations(
    reader: Reader, simulator: Simulator, account: Account
) -> None:
    """The other subscription types tell associations, erasures and an app's comings and goings."""
    await reader.subscribe(
        subscriptionType="ASSOCIATION",
        actions=["ASSOCIATION_ADDED"],
        associatedObjectTypeIds=["0-1"],
    )
    await reader.subscribe(subscriptionType="GDPR_PRIVACY_DELETION", actions=["GDPR_DELETE"])
    gone = {"subscriptionType": "APP_LIFECYCLE_EVENT", "eventTypeId": "4-1916193"}
    await reader.api.post(SUBSCRIPTIONS, gone | {"properties": []}, token=reader.token)
    call = account.create({})
    account.associate(call.id, Link("contacts", 5, 194))
    account.associate(call.id, Link("deals", 5, 206))
    account.purge(call.id, privacy=True)
    simulator.app.uninstall(account.portal_id)
    account.clock.move(1_000)
    events = await reader.everything()
    assert [event["action"] for event in events] == [
        "ASSOCIATION_ADDED",
        "GDPR_DELETE",
        "APP_UNINSTALL",
    ]
    assert (events[0]["fromObjectId"], events[0]["toObjectTypeId"]) == (call.id, "0-1")


async def test_files_are_cut_batched_and_forgotten(
    reader: Reader, simulator: Simulator, account: Account
) -> None:
    """Files hold so many events, come in batches, and are kept for three days."""
    simulator.turn(journal_file_size=2, token_life_ms=7 * 86_400_000)
    reader.token = await app_token(reader.api, simulator)
    await reader.subscribe(actions=["CREATE"])
    for _ in range(5):
        account.create({})
    account.clock.move(1_000)
    first = (await reader.get("batch/earliest/100")).results
    sizes = [len((await reader.file(item))["journalEvents"]) for item in first]
    assert sizes == [2, 2, 1]
    offsets = [item["currentOffset"] for item in first]
    later = (await reader.get(f"batch/{offsets[0]}/next/1")).results
    assert [item["currentOffset"] for item in later] == [offsets[1]]
    latest = (await reader.get("latest")).json
    assert latest["currentOffset"] == offsets[2]
    assert (await reader.get(f"offset/{offsets[2]}/next")).status == 204
    account.clock.move(2 * 86_400_000)
    account.create({})
    account.clock.move(86_400_000)
    assert (await reader.get(f"offset/{offsets[0]}/next")).status == 404
    assert (await reader.get(f"offset/{offsets[2]}/next")).status == 200
    assert len(await reader.everything()) == 1
    read = {"inputs": [offsets[0]]}
    answer = await reader.api.post(f"{BASE}/batch/read", read, token=reader.token)
    assert (answer.status, answer.json["numErrors"]) == (207, 1)


async def test_a_file_needs_its_signature(reader: Reader, account: Account) -> None:
    """A URL is good for five minutes, and only as it was given."""
    await reader.subscribe()
    account.create({})
    account.clock.move(1_000)
    pointer = (await reader.get("latest")).json
    url = str(pointer["url"]).removeprefix(reader.api.url)
    assert (await reader.api.get(url, token="")).status == 200
    assert (await reader.api.get(f"{url}x", token="")).status == 403
    account.clock.move(300_000)
    assert (await reader.api.get(url, token="")).status == 403


async def test_only_the_app_itself_reads(reader: Reader) -> None:
    """An account's token is refused; the app's token is no good for calls."""
    assert (await reader.api.get(f"{BASE}/latest")).status == 403
    assert (await reader.get("latest")).status == 204
    assert (await reader.api.get("/crm/v3/objects/calls", token=reader.token)).status == 401


async def test_snapshots_are_written_into_the_journal(
    reader: Reader, simulator: Simulator, account: Account
) -> None:
    """A snapshot is pending, then successful, and then an event with the wanted values."""
    call = account.create({"hs_call_title": "Hi"})
    wanted = {
        "portalId": account.portal_id,
        "objectId": call.id,
        "objectTypeId": "0-48",
        "properties": ["hs_call_title", "hs_call_body"],
    }
    body = {"snapshotRequests": [wanted, wanted | {"objectId": 7}]}
    path = "/webhooks-journal/snapshots/2026-03/crm"
    taken = (await reader.api.post(path, body, token=reader.token)).json["snapshotResponses"]
    good, bad = (item["snapshotStatusId"] for item in taken)
    assert (await reader.get(f"status/{good}")).json["status"] == "PENDING"
    simulator.clock.move(2_000)
    assert (await reader.get(f"status/{good}")).json["status"] == "SUCCESS"
    assert (await reader.get(f"status/{bad}")).json["status"] == "FAILED"
    (event,) = await reader.everything()
    assert event["action"] == "SNAPSHOT"
    assert event["properties"] == {"hs_call_title": "Hi", "hs_call_body": None}
