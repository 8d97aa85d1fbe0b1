"""Reading calls: lists, one, batches, both path styles, every version."""

from urllib.parse import quote

import pytest

from tests.simulator.model.account import Account
from tests.simulator.model.calls import Actor, Link
from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Api

V3, DATED, NEWEST = "/crm/v3/objects/calls", "/crm/objects/2026-03/calls", "/crm/objects/2026-09"


@pytest.fixture
def account(simulator: Simulator) -> Account:
    """Return the first account."""
    return simulator.world.accounts[simulator.settings.portal_id]


def some(account: Account, count: int) -> list[str]:
    """Log calls and return their ids in order."""
    return [str(account.create({"hs_call_title": f"Call {n}"}).id) for n in range(count)]


async def all_pages(api: Api, path: str) -> list[str]:
    """Return the ids of all pages."""
    ids, after = list[str](), ""
    while True:
        answer = await api.get(f"{path}&after={quote(after, safe='')}")
        assert answer.status == 200, answer.raw
        ids += answer.ids
        if "paging" not in answer.json:
            return ids
        after = answer.json["paging"]["next"]["after"]


@pytest.mark.parametrize(
    "path",
    [V3, DATED, f"{NEWEST}/calls", f"{NEWEST}/0-48", "/crm/objects/2025-09/calls"],
)
async def test_pages_hold_every_call_once_in_order(api: Api, account: Account, path: str) -> None:
    """Live calls come in the order of their ids; the last page has no `paging`."""
    ids = some(account, 25)
    account.archive(int(ids[3]))
    assert await all_pages(api, f"{path}?limit=7") == [i for i in ids if i != ids[3]]
    assert await all_pages(api, f"{path}?limit=7&archived=true") == [ids[3]]


async def test_a_cursor_must_come_back_as_it_was_sent(api: Api, account: Account) -> None:
    """`after` has percent signs in it; sent back without encoding them it is refused."""
    some(account, 3)
    after = (await api.get(f"{V3}?limit=1")).json["paging"]["next"]["after"]
    assert after.endswith("%3D%3D")
    assert (await api.get(f"{V3}?after={quote(after, safe='')}")).status == 200
    assert (await api.ask("GET", f"{V3}?after={after}")).status == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=100", 200),
        ("limit=101", 400),
        ("limit=0", 400),
        ("limit=50&propertiesWithHistory=hs_call_title", 200),
        ("limit=51&propertiesWithHistory=hs_call_title", 400),
        ("archived=maybe", 400),
        ("associations=unicorns", 200),
        (f"properties={'x' * 17_000}", 414),
    ],
)
async def test_limits_of_a_list(api: Api, query: str, status: int) -> None:
    """Pages hold 100, with history 50; very long URLs are refused."""
    assert (await api.get(f"{V3}?{query}")).status == status


async def test_what_is_answered_of_properties(api: Api, account: Account) -> None:
    """Unknown names are ignored, empty values are null, three are always there."""
    call = account.create({"hs_call_title": "Hi"})
    whole = await api.get(f"{V3}/{call.id}?properties=hs_call_title,hs_call_body&properties=nope")
    assert whole.json["properties"] == {
        "hs_call_body": None,
        "hs_call_title": "Hi",
        "hs_createdate": "2026-01-15T10:00:00.000Z",
        "hs_lastmodifieddate": "2026-01-15T10:00:00.000Z",
        "hs_object_id": str(call.id),
    }
    default = (await api.get(f"{V3}/{call.id}")).json
    assert sorted(default["properties"]) == ["hs_createdate", "hs_lastmodifieddate", "hs_object_id"]
    assert default["createdAt"] == default["updatedAt"] == "2026-01-15T10:00:00.000Z"
    assert (default["archived"], "archivedAt" in default) == (False, False)


async def test_history_is_newest_first(api: Api, account: Account) -> None:
    """Every value that a property had comes with its time and source."""
    call = account.create({"hs_call_title": "Hi"})
    account.clock.move(1_000)
    account.update(call.id, {"hs_call_title": "Ho"}, Actor("CRM_UI", "userId:12"))
    answer = await api.get(f"{V3}/{call.id}?propertiesWithHistory=hs_call_title")
    newest, oldest = answer.json["propertiesWithHistory"]["hs_call_title"]
    assert newest == {
        "value": "Ho",
        "timestamp": "2026-01-15T10:00:01.000Z",
        "sourceType": "CRM_UI",
        "sourceId": "userId:12",
        "updatedByUserId": 12,
    }
    assert oldest["value"] == "Hi"


async def test_archived_calls_are_read_only_on_request(api: Api, account: Account) -> None:
    """An archived call needs `archived=true`, which finds nothing else."""
    live, gone = some(account, 2)
    account.archive(int(gone))
    assert (await api.get(f"{V3}/{gone}")).status == 404
    found = await api.get(f"{V3}/{gone}?archived=true")
    assert (found.json["archived"], found.json["archivedAt"]) == (True, "2026-01-15T10:00:00.000Z")
    assert (await api.get(f"{V3}/{live}?archived=true")).status == 404
    body = {"inputs": [{"id": live}, {"id": gone}]}
    assert (await api.post(f"{V3}/batch/read?archived=true", body)).ids == [gone]


@pytest.mark.parametrize(("path", "status"), [(V3, 207), (DATED, 207), (f"{NEWEST}/calls", 200)])
async def test_one_error_names_all_missing_ids(
    api: Api, account: Account, path: str, status: int
) -> None:
    """What is there comes with 207 (2026-09: 200) and one error for all that is not."""
    (there,) = some(account, 1)
    inputs = [{"id": item} for item in ("7", there, "8", there)]
    answer = await api.post(f"{path}/batch/read", {"inputs": inputs})
    assert (answer.status, answer.ids) == (status, [there])
    assert answer.json["numErrors"] == 1
    (error,) = answer.json["errors"]
    assert error["context"]["ids"] == ["7", "8"]
    assert error["category"] == "OBJECT_NOT_FOUND"
    assert (await api.post(f"{path}/batch/read", {"inputs": [{"id": there}]})).status == 200


async def test_limits_of_a_batch(api: Api, account: Account) -> None:
    """A batch holds 100 ids, with history 50, and at least one."""
    inputs = [{"id": item} for item in some(account, 101)]
    history = {"propertiesWithHistory": ["hs_call_title"]}
    read = f"{V3}/batch/read"
    assert (await api.post(read, {"inputs": inputs[:100]})).status == 200
    assert (await api.post(read, {"inputs": inputs})).status == 400
    assert (await api.post(read, {"inputs": inputs[:50], **history})).status == 200
    assert (await api.post(read, {"inputs": inputs[:51], **history})).status == 400
    assert (await api.post(read, {"inputs": []})).status == 400


async def test_merged_ids_are_absent_or_answered_under_another_id(
    api: Api, simulator: Simulator, account: Account
) -> None:
    """As `merged_ids` says: a merged id is missing, or finds the survivor under its own id."""
    first, second = some(account, 2)
    account.merge(int(first), [int(second)])
    assert (await api.get(f"{V3}/{second}")).status == 404
    both = {"inputs": [{"id": first}, {"id": second}]}
    assert (await api.post(f"{V3}/batch/read", both)).json["numErrors"] == 1
    simulator.turn(merged_ids="survivor")
    assert (await api.get(f"{V3}/{second}")).json["id"] == first
    answer = await api.post(f"{V3}/batch/read", both)
    assert (answer.status, answer.ids) == (200, [first])


async def test_associations_of_a_list(api: Api, simulator: Simulator, account: Account) -> None:
    """A target comes once per type, and beyond a page with paging of its own."""
    simulator.turn(association_page=2)
    call = account.create({})
    for link in (Link("contacts", 1, 194), Link("contacts", 1, 5), Link("contacts", 2, 194)):
        account.associate(call.id, link)
    shown = (await api.get(f"{V3}?associations=contacts,deals")).results[0]["associations"]
    assert [item["id"] for item in shown["contacts"]["results"]] == ["1", "1"]
    assert shown["contacts"]["paging"]["next"]["after"] == "2"
    assert "deals" not in shown


@pytest.mark.parametrize(
    "path",
    [
        "/crm/v1/objects/calls",
        "/crm/objects/v3/calls",
        "/crm/2026-03/objects/calls",
        "/crm/objects/2024-01/calls",
        "/crm/v3/objects/contacts",
        "/nothing",
    ],
)
async def test_paths_that_never_were(api: Api, path: str) -> None:
    """Versions, styles and objects that are not simulated are 404 with an error body."""
    answer = await api.get(path)
    assert answer.status == 404
    assert answer.json["status"] == "error"


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_no_answer_without_a_token(api: Api, token: str) -> None:
    """Without a good token: 401 with a correlation id, in header and body."""
    answer = await api.get(V3, token=token)
    assert (answer.status, answer.json["category"]) == (401, "INVALID_AUTHENTICATION")
    assert answer.json["correlationId"] == answer.headers["X-HubSpot-Correlation-Id"]


async def test_the_account_says_who_it_is(api: Api, simulator: Simulator) -> None:
    """Account details name the portal; the outcomes are HubSpot's six."""
    details = await api.get("/account-info/2026-03/details")
    assert details.json["portalId"] == simulator.settings.portal_id
    outcomes = await api.get("/calling/v1/dispositions")
    assert b"f240bbac-87c9-4f6e-bf70-924b57d47db7" in outcomes.raw
    owners = await api.get("/crm/v3/owners?limit=5")
    assert len(owners.results) == 5
    one = await api.get(f"/crm/v3/owners/{owners.ids[0]}")
    assert one.json == owners.results[0]
