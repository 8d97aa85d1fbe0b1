"""The life of calls in the model."""

import pytest

from tests.simulator.model.account import Account, NoSuchCallError
from tests.simulator.model.calls import Actor, Link, fold
from tests.simulator.simulator import Simulator
from tests.simulator_tests.conftest import START

CONTACT = Link("contacts", 101, 194)


@pytest.fixture
def account(simulator: Simulator) -> Account:
    """Return the first account."""
    return simulator.world.accounts[simulator.settings.portal_id]


def test_a_new_call_has_its_system_properties(account: Account) -> None:
    """HubSpot writes id and both dates itself; whoever tries to is not heard."""
    call = account.create({"hs_call_title": "Hi", "hs_object_id": "1", "hs_call_body": ""})
    assert call.values == {
        "hs_call_title": "Hi",
        "hs_object_id": str(call.id),
        "hs_createdate": "2026-01-15T10:00:00.000Z",
        "hs_lastmodifieddate": "2026-01-15T10:00:00.000Z",
    }
    assert call.id > 10**11
    assert list(account.live) == [call.id]


def test_an_update_moves_the_date_only_if_it_changes_something(account: Account) -> None:
    """Writing what is there already is no change; an empty value clears a property."""
    call = account.create({"hs_call_title": "Hi", "hs_call_body": "x"})
    account.clock.move(1_000)
    account.update(call.id, {"hs_call_title": "Hi"})
    assert (len(call.changes), call.updated_at) == (1, "2026-01-15T10:00:00.000Z")
    account.update(call.id, {"hs_call_title": "Ho", "hs_call_body": ""})
    assert call.updated_at == "2026-01-15T10:00:01.000Z"
    assert call.values.get("hs_call_title") == "Ho"
    assert "hs_call_body" not in call.values


def test_archiving_and_restoring(account: Account) -> None:
    """The recycle bin keeps all values and associations; a restored call is live again."""
    call = account.create({"hs_call_title": "Hi"})
    account.associate(call.id, CONTACT)
    account.archive(call.id)
    assert (call.state, call.archived_at, list(account.live)) == ("archived", START, [])
    assert list(account.archived) == [call.id]
    with pytest.raises(NoSuchCallError):
        account.update(call.id, {"hs_call_title": "Ho"})
    account.restore(call.id)
    assert (call.state, call.every_link(), list(account.archived)) == ("live", [CONTACT], [])


def test_a_purged_call_leaves_nothing_but_its_history(account: Account) -> None:
    """A purged call has no values, and its id cannot be used any more."""
    call = account.create({"hs_call_title": "Hi"})
    account.purge(call.id)
    assert (call.state, dict(call.values)) == ("gone", {})
    assert [change.kind for change in account.log] == ["created", "purged"]
    with pytest.raises(NoSuchCallError):
        account.restore(call.id)


def test_a_merge_gives_the_survivor_what_it_lacks(account: Account) -> None:
    """The survivor keeps its own values, inherits others and all associations, and says whom."""
    first = account.create({"hs_call_title": "First"})
    second = account.create({"hs_call_title": "Second", "hs_call_body": "notes"})
    account.associate(second.id, CONTACT)
    survivor = account.merge(first.id, [second.id])
    assert survivor is first
    assert survivor.values["hs_call_title"] == "First"
    assert survivor.values["hs_call_body"] == "notes"
    assert survivor.values["hs_merged_object_ids"] == str(second.id)
    assert survivor.every_link() == [CONTACT]
    assert (second.state, second.merged_into, second.links) == ("merged", first.id, {})


def test_a_merge_can_make_a_new_record(account: Account) -> None:
    """With a new record the primary goes away as well."""
    first, second = account.create({"hs_call_title": "A"}), account.create({})
    survivor = account.merge(first.id, [second.id], new_record=True)
    assert survivor.id not in (first.id, second.id)
    assert {first.merged_into, second.merged_into} == {survivor.id}
    assert list(account.live) == [survivor.id]


def test_associations_count_by_type(account: Account) -> None:
    """The same record may be associated under several types; each is removed by itself."""
    call = account.create({})
    other = Link("contacts", 101, 7)
    assert account.associate(call.id, CONTACT)
    assert account.associate(call.id, other)
    assert not account.associate(call.id, CONTACT)
    assert account.dissociate(call.id, other)
    assert call.every_link() == [CONTACT]
    assert account.dissociate(call.id, Link("contacts", 101, 0))
    assert not account.dissociate(call.id, CONTACT)
    assert call.updated_at == call.created_at


def test_a_call_is_the_fold_of_its_changes(simulator: Simulator, account: Account) -> None:
    """Whatever happened, replaying the log makes every call as it is, and as it was."""
    life = simulator.traffic.life(account)
    for _ in range(1_500):
        simulator.clock.move(10)
        life.step()
    for call in account.calls.values():
        again = fold(call.id, call.changes)
        assert (again.state, again.values, again.links) == (call.state, call.values, call.links)
        first = call.changes[0]
        assert call.before(len(call.changes)).values == first.values
        assert call.at(first.at - 1).state == "unborn"
    states = {call.state for call in account.calls.values()}
    assert states == {"live", "archived", "gone", "merged"}


def test_unique_values_find_their_call(account: Account) -> None:
    """A unique property finds the call that has the value now."""
    call = account.create({"hs_unique_creation_key": "k"}, Actor("API"))
    assert account.unique_id("hs_unique_creation_key", "k") == call.id
    account.update(call.id, {"hs_unique_creation_key": "l"})
    assert account.unique_id("hs_unique_creation_key", "k") is None


@pytest.mark.parametrize("moves", [False, True])
def test_what_moves_the_date_can_be_chosen(simulator: Simulator, moves: bool) -> None:  # noqa: FBT001 - a parameter
    """Archiving and linking move a call's date of modification only if the knobs say so."""
    simulator.turn(archiving_moves_date=moves, linking_moves_date=moves)
    account = simulator.world.accounts[simulator.settings.portal_id]
    linked, archived = account.create({}), account.create({})
    simulator.clock.move(1_000)
    account.associate(linked.id, CONTACT)
    account.archive(archived.id)
    assert (linked.updated_at != linked.created_at) is moves
    assert (archived.updated_at != archived.created_at) is moves
    simulator.clock.move(1_000)
    before = linked.updated_at
    account.dissociate(linked.id, CONTACT)
    assert (linked.updated_at != before) is moves
