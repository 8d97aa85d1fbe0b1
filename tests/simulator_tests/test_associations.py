"""Associations of calls, from both ends."""

from urllib.parse import quote

import pytest

from tests.simulator.model.account import Account
from tests.simulator.model.calls import Link
from tests.simulator.simulator import Simulator
from tests.simulator.truth import true_call
from tests.simulator_tests.api import Api

V4, DATED = "/crm/v4/associations", "/crm/associations/2026-03"


@pytest.fixture
def account(simulator: Simulator) -> Account:
    """Return the first account."""
    return simulator.world.accounts[simulator.settings.portal_id]


@pytest.mark.parametrize(("base", "kind"), [(V4, int), (DATED, str)])
async def test_a_batch_read_pages_each_record_by_itself(
    api: Api, simulator: Simulator, account: Account, base: str, kind: type
) -> None:
    """Every target is read once over all pages; only those with more have `paging`."""
    simulator.turn(association_page=3)
    many, few = account.create({}), account.create({})
    for target in range(1, 9):
        account.associate(many.id, Link("contacts", target, 194))
    account.associate(few.id, Link("contacts", 5, 194))
    found: dict[str, list[object]] = {str(many.id): [], str(few.id): []}
    inputs = [{"id": str(many.id)}, {"id": str(few.id)}]
    while inputs:
        answer = await api.post(f"{base}/calls/contacts/batch/read", {"inputs": inputs})
        assert answer.status == 200
        inputs = []
        for item in answer.results:
            found[item["from"]["id"]] += [target["toObjectId"] for target in item["to"]]
            if "paging" in item:
                after = item["paging"]["next"]["after"]
                inputs.append({"id": item["from"]["id"], "after": after})
    assert found == {str(many.id): [kind(n) for n in range(1, 9)], str(few.id): [kind(5)]}


async def test_records_without_associations_are_named_by_errors(api: Api, account: Account) -> None:
    """207, and one error for each record that has none or is not there."""
    call = account.create({})
    account.associate(call.id, Link("contacts", 5, 194))
    lonely = account.create({})
    inputs = [{"id": str(i)} for i in (call.id, lonely.id, 7)]
    answer = await api.post(f"{V4}/0-48/0-1/batch/read", {"inputs": inputs})
    assert answer.status == 207
    assert [item["from"]["id"] for item in answer.results] == [str(call.id)]
    errors = answer.json["errors"]
    assert [error["context"]["fromObjectId"] for error in errors] == [[str(lonely.id)], ["7"]]
    assert {e["subCategory"] for e in errors} == {"crm.associations.NO_ASSOCIATIONS_FOUND"}


async def test_a_list_pages(api: Api, account: Account) -> None:
    """One record's associations come in pages as well."""
    call = account.create({})
    for target in range(1, 6):
        account.associate(call.id, Link("deals", target, 206))
    ids, after = list[str](), ""
    while True:
        path = f"/crm/objects/2026-03/calls/{call.id}/associations/deals?limit=2"
        answer = await api.get(f"{path}&after={quote(after)}")
        ids += [item["toObjectId"] for item in answer.results]
        if "paging" not in answer.json:
            break
        after = answer.json["paging"]["next"]["after"]
    assert ids == ["1", "2", "3", "4", "5"]


async def test_both_ends_see_an_association(api: Api, account: Account) -> None:
    """What is made from the call is read from the contact, under the other type id."""
    call = account.create({})
    record = f"/crm/v4/objects/calls/{call.id}/associations"
    await api.ask("PUT", f"{record}/default/contacts/5")
    back = await api.post(f"{V4}/contacts/calls/batch/read", {"inputs": [{"id": "5"}]})
    (target,) = back.results[0]["to"]
    assert (target["toObjectId"], target["associationTypes"][0]["typeId"]) == (call.id, 193)
    removed = await api.ask("DELETE", f"/crm/v4/objects/contacts/5/associations/calls/{call.id}")
    assert removed.status == 204
    assert call.every_link() == []
    assert (
        await api.post(f"{V4}/contacts/calls/batch/read", {"inputs": [{"id": "5"}]})
    ).status == 207


async def test_types_must_fit(api: Api, account: Account) -> None:
    """A type between other objects, or a call that is not there, is refused."""
    call = account.create({})
    spec = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 220}]
    path = f"/crm/v4/objects/calls/{call.id}/associations/contacts/5"
    assert (await api.ask("PUT", path, spec)).status == 400
    gone = "/crm/v4/objects/calls/7/associations/default/contacts/5"
    assert (await api.ask("PUT", gone)).status == 404
    assert (await api.post(f"{V4}/contacts/deals/batch/read", {"inputs": []})).status == 400


@pytest.mark.parametrize("shown", [True, False])
async def test_archived_calls_may_hide_their_associations(
    api: Api,
    simulator: Simulator,
    account: Account,
    shown: bool,  # noqa: FBT001 - a parameter
) -> None:
    """As the knob says, in lists, in batches and in the truth alike."""
    simulator.turn(archived_links=shown)
    call = account.create({})
    account.associate(call.id, Link("contacts", 5, 194))
    account.archive(call.id)
    batch = await api.post(f"{V4}/calls/contacts/batch/read", {"inputs": [{"id": str(call.id)}]})
    one = await api.get(f"/crm/v3/objects/calls/{call.id}?archived=true&associations=contacts")
    assert bool(batch.results) is shown
    assert ("associations" in one.json) is shown
    assert bool(true_call(simulator, account.portal_id, call).associations) is shown


async def types_of(api: Api) -> set[str]:
    """Return the types that the schema of calls names in its associations."""
    schema = (await api.get("/crm-object-schemas/2026-03/schemas/calls")).json
    ends = [(one["fromObjectTypeId"], one["toObjectTypeId"]) for one in schema["associations"]]
    assert all("0-48" in pair for pair in ends)
    return {type_id for pair in ends for type_id in pair} - {"0-48"}


async def test_the_schema_names_the_types(api: Api, account: Account) -> None:
    """The schema of calls names what they can be associated with, in every version."""
    assert await types_of(api) == {"0-1", "0-2", "0-3", "0-5"}
    account.kinds |= {"vehicles"}
    assert await types_of(api) == {"0-1", "0-2", "0-3", "0-5", "2-3453932"}
    assert (await api.get("/crm-object-schemas/v3/schemas/0-48")).status == 200
    assert (await api.get("/crm-object-schemas/v9/schemas/calls")).status == 404


async def test_types_that_there_are_not_and_that_may_not_be_read(
    api: Api, account: Account
) -> None:
    """A type that the account does not have is a 400, one that the token may not read a 403."""
    call = account.create({})
    batch = {"inputs": [{"id": str(call.id)}]}
    leads = f"{V4}/calls/leads/batch/read"
    listing = "/crm/v3/objects/calls?associations=leads"
    assert (await api.post(leads, batch)).status == 400
    assert (await api.get(listing)).status == 400
    account.kinds |= {"leads"}
    account.associate(call.id, Link("leads", 5, 597))
    assert (await api.post(leads, batch)).status == 200
    assert "leads" in (await api.get(listing)).results[0]["associations"]
    account.refused_kinds = frozenset({"leads"})
    assert (await api.post(leads, batch)).status == 403
    assert (await api.get(listing)).status == 403


async def test_custom_objects_are_listed_under_another_name(api: Api, account: Account) -> None:
    """What is asked for by a type's id is listed under its qualified name."""
    account.kinds |= {"vehicles"}
    call = account.create({})
    account.associate(call.id, Link("vehicles", 5, 18))
    listed = await api.get("/crm/v3/objects/calls?associations=2-3453932")
    assert [*listed.results[0]["associations"]] == ["p_vehicles"]
