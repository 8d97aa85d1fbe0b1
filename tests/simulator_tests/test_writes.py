"""Writing calls through the API, and what HubSpot says to bad values."""

import pytest

from tests.simulator.model.account import Account
from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Api, Json

V3 = "/crm/v3/objects/calls"
NOW = "2026-01-15T09:00:00Z"


@pytest.fixture
def account(simulator: Simulator) -> Account:
    """Return the first account."""
    return simulator.world.accounts[simulator.settings.portal_id]


async def test_a_creation_stores_values_and_associations(api: Api, account: Account) -> None:
    """Times come back as RFC 3339 even if they were written in ms; numbers become strings."""
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}
    answer = await api.post(
        V3,
        {
            "properties": {"hs_timestamp": 1_768_467_600_000, "hs_call_duration": 1800},
            "associations": [{"to": {"id": "5"}, "types": [spec]}],
        },
    )
    assert answer.status == 201
    assert answer.json["properties"]["hs_timestamp"] == "2026-01-15T09:00:00.000Z"
    call = account.calls[int(answer.json["id"])]
    assert call.values["hs_call_duration"] == "1800"
    assert call.links == {"contacts": {5: (194,)}}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("nope", "1", "PROPERTY_DOESNT_EXIST"),
        ("hs_object_id", "1", "READ_ONLY_VALUE"),
        ("hs_timestamp", "soon", "INVALID_DATETIME"),
        ("hs_call_duration", "long", "INVALID_NUMBER"),
        ("hs_call_direction", "SIDEWAYS", "INVALID_ENUMERATION"),
        ("hs_call_has_voicemail", "perhaps", "INVALID_BOOL"),
        ("hs_call_body", "x" * 65_537, "VALUE_TOO_LONG"),
    ],
)
async def test_bad_values_are_named(api: Api, name: str, value: str, code: str) -> None:
    """400, naming the property and why."""
    values = {"hs_timestamp": NOW, name: value}
    answer = await api.post(V3, {"properties": values})
    assert answer.status == 400
    (error,) = answer.json["errors"]
    assert (error["code"], error["context"]["propertyName"]) == (code, [name])


async def test_a_call_needs_a_time(api: Api) -> None:
    """Without `hs_timestamp` no call is created."""
    answer = await api.post(V3, {"properties": {"hs_call_title": "x"}})
    assert answer.json["context"] == {"properties": ["hs_timestamp"]}


async def test_update_and_archive(api: Api, account: Account) -> None:
    """PATCH sets and clears, DELETE moves to the recycle bin, twice is no error."""
    call = account.create({"hs_call_title": "Hi", "hs_call_body": "x"})
    path = f"{V3}/{call.id}"
    changed = await api.ask("PATCH", path, {"properties": {"hs_call_title": None}})
    assert (changed.status, changed.json["properties"]["hs_call_title"]) == (200, None)
    assert (await api.ask("PATCH", path, {"properties": {}})).status == 400
    assert (await api.ask("DELETE", path)).status == 204
    assert (await api.ask("DELETE", path)).status == 204
    assert (await api.ask("PATCH", path, {"properties": {"hs_call_title": "x"}})).status == 404
    assert call.state == "archived"


def new(**more: str) -> Json:
    """Return an input of a batch creation."""
    return {"properties": {"hs_timestamp": NOW}, "associations": [], **more}


async def test_a_batch_is_written_whole_or_with_traces_in_part(api: Api, account: Account) -> None:
    """One bad input refuses all, unless every input is traced: then it is named and left out."""
    bad = {"properties": {"nope": "1"}, "associations": []}
    refused = await api.post(f"{V3}/batch/create", {"inputs": [new(), bad]})
    assert (refused.status, len(account.calls)) == (400, 0)
    traced = [new(objectWriteTraceId="a"), bad | {"objectWriteTraceId": "b"}]
    partly = await api.post(f"{V3}/batch/create", {"inputs": traced})
    assert (partly.status, len(account.calls)) == (207, 1)
    assert partly.results[0]["objectWriteTraceId"] == "a"
    assert partly.json["errors"][0]["context"] == {"objectWriteTraceId": ["b"]}


async def test_an_upsert_finds_calls_by_a_unique_property(api: Api, account: Account) -> None:
    """The first time it creates, the second time it updates the same call."""
    item = {"id": "k", "idProperty": "hs_unique_creation_key", **new()}
    first = (await api.post(f"{V3}/batch/upsert", {"inputs": [item]})).results[0]
    second = (await api.post(f"{V3}/batch/upsert", {"inputs": [item]})).results[0]
    assert (first["new"], second["new"]) == (True, False)
    assert first["id"] == second["id"]
    assert len(account.calls) == 1
    plain = {**item, "idProperty": "hs_call_title"}
    assert (await api.post(f"{V3}/batch/upsert", {"inputs": [plain]})).status == 400


async def test_merge_and_erase(api: Api, account: Account) -> None:
    """A merge answers with the survivor; an erased call is gone, and said to be erased."""
    first, second = account.create({"hs_call_title": "A"}), account.create({})
    body = {"primaryObjectId": str(first.id), "objectIdToMerge": str(second.id)}
    base = "/crm/objects/2026-09-beta/calls"
    assert (await api.post(f"{base}/merge", body)).json["id"] == str(first.id)
    assert second.state == "merged"
    assert (await api.post(f"{base}/merge", body)).status == 404
    assert (await api.post(f"{base}/gdpr-delete", {"objectId": str(first.id)})).status == 204
    assert first.state == "gone"
    assert account.log[-1].kind == "erased"


async def test_own_properties_can_be_defined_written_and_read(api: Api) -> None:
    """A property that the account defines is read and written like HubSpot's own."""
    made = {
        "name": "own_score",
        "label": "Score",
        "type": "number",
        "fieldType": "number",
        "groupName": "call",
    }
    assert (
        await api.post(V3, {"properties": {"hs_timestamp": NOW, "own_score": "1"}})
    ).status == 400
    assert (await api.post("/crm/v3/properties/calls", made)).status == 201
    call = await api.post(V3, {"properties": {"hs_timestamp": NOW, "own_score": "1"}})
    read = await api.get(f"{V3}/{call.json['id']}?properties=own_score")
    assert read.json["properties"]["own_score"] == "1"
    assert (await api.ask("DELETE", "/crm/v3/properties/calls/own_score")).status == 204
    read = await api.get(f"{V3}/{call.json['id']}?properties=own_score")
    assert "own_score" not in read.json["properties"]
    assert (await api.ask("DELETE", "/crm/v3/properties/calls/hs_call_title")).status == 400
