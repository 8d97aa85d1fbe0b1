"""Search finds what a plain scan would, a moment late and within HubSpot's limits."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.clock import Clock, iso, parse_time
from tests.simulator.model.account import Account
from tests.simulator.model.calls import Call
from tests.simulator.model.filters import Filter
from tests.simulator.model.search import Group, Search, SearchRequest, Sort
from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Api
from tests.simulator_tests.conftest import START

PATH = "/crm/objects/2026-03/calls/search"
MOMENTS = [iso(START + shift) for shift in range(0, 60, 10)]


def filled() -> Account:
    """Return an account with some life in it."""
    clock = Clock(START, frozen=True)
    account = Account(1, 3, clock)
    for number in range(40):
        values = {"hs_call_duration": str(number % 7 * 100), "hs_call_title": f"Call {number % 5}"}
        call = account.create(values if number % 3 else {"hs_call_title": "A Demo"})
        clock.move(number % 3)
        if number % 4 == 0:
            account.update(call.id, {"hs_call_status": "BUSY"})
        if number % 9 == 0:
            account.archive(call.id)
    return account


ACCOUNT = filled()
IDS = sorted(ACCOUNT.calls)
FILTERS = st.one_of(
    st.builds(
        Filter,
        st.just("hs_object_id"),
        st.sampled_from(["EQ", "GT", "GTE", "LT", "LTE"]),
        st.sampled_from(IDS),
    ),
    st.builds(
        Filter,
        st.just("hs_lastmodifieddate"),
        st.sampled_from(["EQ", "GT", "GTE", "LT", "LTE", "BETWEEN"]),
        st.sampled_from(MOMENTS),
        st.none(),
        st.sampled_from(MOMENTS),
    ),
    st.builds(
        Filter,
        st.just("hs_call_duration"),
        st.sampled_from(["EQ", "NEQ", "GT", "LTE"]),
        st.sampled_from([0, "300", 600.0]),
    ),
    st.builds(
        Filter,
        st.just("hs_call_status"),
        st.sampled_from(["HAS_PROPERTY", "NOT_HAS_PROPERTY"]),
    ),
    st.builds(
        Filter,
        st.just("hs_call_title"),
        st.sampled_from(["IN", "NOT_IN"]),
        st.none(),
        st.just(["call 1", "a demo"]),
    ),
    st.builds(
        Filter,
        st.just("hs_call_title"),
        st.sampled_from(["CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"]),
        st.sampled_from(["demo", "cal*", "call 2"]),
    ),
)


def passes(call: Call, item: Filter) -> bool:
    """Return whether a call passes a filter, the plain way."""
    found = call.values.get(item.property_name)
    if item.operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return (found is not None) is (item.operator == "HAS_PROPERTY")
    if found is None:
        return False
    if item.property_name == "hs_call_title":
        return titled(found.lower(), item)
    read = parse_time if item.property_name == "hs_lastmodifieddate" else float
    here, low = read(found), read(str(item.value))
    if item.operator == "BETWEEN":
        return low <= here <= read(str(item.high_value))
    judged = {"EQ": here == low, "NEQ": here != low, "GT": here > low, "GTE": here >= low}
    return judged.get(item.operator, here < low or (item.operator == "LTE" and here == low))


def titled(found: str, item: Filter) -> bool:
    """Return whether a title passes a filter on titles."""
    if item.values is not None:
        return (found in item.values) is (item.operator == "IN")
    tests = {"demo": "demo" in found, "cal*": "call" in found, "call 2": found == "call 2"}
    return tests[str(item.value)] is (item.operator == "CONTAINS_TOKEN")


@settings(max_examples=200)
@given(
    st.lists(st.lists(FILTERS, max_size=3), max_size=3),
    st.sampled_from(["hs_object_id", "hs_lastmodifieddate", "hs_call_duration"]),
    st.sampled_from(["ASCENDING", "DESCENDING"]),
    st.integers(1, 12),
)
def test_search_is_a_scan(groups: list[list[Filter]], by: str, direction: str, size: int) -> None:
    """Filters are ANDed in a group and ORed across; paging through gives each match once."""
    expected = [
        call
        for call in ACCOUNT.calls.values()
        if call.state == "live"
        and (not groups or any(all(passes(call, f) for f in group) for group in groups))
    ]
    search, until = Search(ACCOUNT), ACCOUNT.clock.now_ms()
    found: list[Call] = []
    after: int | None = 0
    while after is not None:
        request = SearchRequest(
            [Group(group) for group in groups], [Sort(by, direction)], limit=size, after=after
        )
        page = search.run(request, until)
        assert page.total == len(expected)
        found += page.calls
        after = page.after
    assert sorted(call.id for call in found) == sorted(call.id for call in expected)
    keys = [order(call, by) for call in found if by in call.values]
    assert keys == sorted(keys, reverse=direction == "DESCENDING")


def order(call: Call, by: str) -> float:
    """Return what a call is sorted by."""
    value = call.values[by]
    return parse_time(value) if by == "hs_lastmodifieddate" else float(value)


async def test_changes_are_found_late(api: Api, simulator: Simulator) -> None:
    """Search shows calls as they were `search_delay_ms` ago, new ones not at all."""
    simulator.turn(search_delay_ms=2_000)
    account = simulator.world.accounts[simulator.settings.portal_id]
    call = account.create({"hs_call_title": "old"})
    assert (await api.post(PATH, {})).json["total"] == 0
    simulator.clock.move(2_000)
    account.update(call.id, {"hs_call_title": "new"})
    wanted = {"properties": ["hs_call_title"]}
    assert titles((await api.post(PATH, wanted)).results) == ["old"]
    simulator.clock.move(2_000)
    assert titles((await api.post(PATH, wanted)).results) == ["new"]
    account.archive(call.id)
    assert (await api.post(PATH, {})).json["total"] == 1
    simulator.clock.move(2_000)
    assert (await api.post(PATH, {})).json["total"] == 0


def titles(results: list[dict[str, Any]]) -> list[str]:
    """Return the titles of results."""
    return [item["properties"]["hs_call_title"] for item in results]


ONE = {"propertyName": "hs_call_title", "operator": "HAS_PROPERTY"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"limit": 200}, 200),
        ({"limit": 201}, 400),
        ({"limit": 200, "after": "9800"}, 200),
        ({"limit": 200, "after": "9801"}, 400),
        ({"after": "soon"}, 400),
        ({"filterGroups": [{"filters": [ONE] * 6}] * 3}, 200),
        ({"filterGroups": [{"filters": [ONE] * 7}]}, 400),
        ({"filterGroups": [{"filters": [ONE]}] * 6}, 400),
        ({"filterGroups": [{"filters": [ONE] * 5}] * 4}, 400),
        ({"sorts": [{"propertyName": "hs_createdate"}] * 2}, 400),
        ({"sorts": ["hs_createdate"]}, 200),
        ({"sorts": [{"propertyName": "nope"}]}, 400),
        ({"query": "x" * 3_000}, 400),
        ({"filterGroups": [{"filters": [ONE | {"operator": "LIKE"}]}]}, 400),
        ({"filterGroups": [{"filters": [ONE | {"propertyName": "nope"}]}]}, 400),
        ({"filterGroups": [{"filters": [ONE | {"operator": "EQ"}]}]}, 400),
        ({"filterGroups": [{"filters": [ONE | {"operator": "IN", "values": []}]}]}, 400),
    ],
)
async def test_limits_of_a_search(api: Api, body: dict[str, object], status: int) -> None:
    """200 a page, 10,000 in all, five groups, six filters each, eighteen together, one sort."""
    assert (await api.post(PATH, body)).status == status


async def test_text_is_searched(api: Api, simulator: Simulator) -> None:
    """The free-text query finds words of titles and notes by their beginnings."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    account.create({"hs_call_title": "Renewal with Grace"})
    account.create({"hs_call_title": "Demo", "hs_call_body": "graceful"})
    account.create({"hs_call_title": "Other"})
    assert (await api.post(PATH, {"query": "grac"})).json["total"] == 2


async def test_keyset_pages_go_past_ten_thousand(api: Api, simulator: Simulator) -> None:
    """`hs_object_id GT last` reaches every call of an account however many there are."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    simulator.traffic.life(account).bulk(10_450)
    found, last = 0, "0"
    while True:
        criterion = {"propertyName": "hs_object_id", "operator": "GT", "value": last}
        body = {"filterGroups": [{"filters": [criterion]}], "limit": 200}
        answer = await api.post(PATH, body)
        if not answer.ids:
            break
        found, last = found + len(answer.ids), answer.ids[-1]
    assert found == 10_450
