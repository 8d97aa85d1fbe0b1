"""Rate limits count exactly, and say so as HubSpot does."""

from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.knobs import Knobs
from tests.simulator.limits import Limits, Window
from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Api

CALLS = "/crm/v3/objects/calls"


@given(st.lists(st.integers(0, 400), max_size=120))
def test_no_window_ever_holds_more_than_the_limit(gaps: list[int]) -> None:
    """However requests come, no 1,000 ms long window admits more than five."""
    limits, knobs = Limits(), Knobs(rate_limit=5, rate_window_ms=1_000)
    now, admitted = 1_000_000, list[int]()
    for gap in gaps:
        now += gap
        if not limits.take(1, "public", now, knobs, oauth=False).refused_by:
            admitted.append(now)
    for start in admitted:
        assert sum(start <= at < start + 1_000 for at in admitted) <= 5


def test_a_window_remembers_its_peak() -> None:
    """The peak is the most that any window ever held."""
    window = Window()
    for at in (0, 10, 20, 2_000, 2_010):
        window.add(at, 1_000)
    assert (window.peak, window.count(2_010, 1_000)) == (3, 2)


async def test_the_burst_limit(api: Api, simulator: Simulator) -> None:
    """Past the limit: 429 with policy and headers; ten seconds later all is well."""
    simulator.turn(rate_limit=2)
    first = await api.get(CALLS)
    assert first.headers["X-HubSpot-RateLimit-Max"] == "2"
    assert first.headers["X-HubSpot-RateLimit-Remaining"] == "1"
    assert first.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert "X-HubSpot-RateLimit-Daily-Remaining" in first.headers
    await api.get(CALLS)
    refused = await api.get(CALLS)
    assert refused.status == 429
    assert refused.json["policyName"] == "TEN_SECONDLY_ROLLING"
    assert refused.json["message"] == "You have reached your ten_secondly_rolling limit."
    assert "Retry-After" not in refused.headers
    simulator.clock.move(10_000)
    assert (await api.get(CALLS)).status == 200


async def test_the_daily_limit_ends_at_midnight_of_the_account(
    api: Api, simulator: Simulator
) -> None:
    """The daily quota is back at midnight in the account's own time zone."""
    simulator.world.accounts[simulator.settings.portal_id].time_zone = "America/New_York"
    simulator.turn(daily_limit=1)
    assert (await api.get(CALLS)).status == 200
    refused = await api.get(CALLS)
    assert (refused.status, refused.json["policyName"]) == (429, "DAILY")
    simulator.clock.move(18 * 3_600_000)
    assert (await api.get(CALLS)).status == 429
    simulator.clock.move(2 * 3_600_000)
    assert (await api.get(CALLS)).status == 200


async def test_search_has_a_limit_of_its_own(api: Api, simulator: Simulator) -> None:
    """Searches: so many a second and account, without headers and without a policy's name."""
    simulator.turn(search_limit=1, rate_limit=1)
    searched = await api.post(f"{CALLS}/search", {})
    assert searched.status == 200
    assert not [name for name in searched.headers if "ratelimit" in name.lower()]
    refused = await api.post(f"{CALLS}/search", {})
    assert refused.status == 429
    assert refused.json["message"] == "You have reached your secondly limit."
    assert "policyName" not in refused.json
    assert (await api.get(CALLS)).status == 200


async def test_oauth_tokens_have_no_daily_headers(api: Api, simulator: Simulator) -> None:
    """An OAuth app has its own burst limit per account, and no daily one."""
    app, authority = simulator.app, simulator.authority
    portal = simulator.settings.portal_id
    simulator.turn(rate_limit=1, oauth_rate_limit=3)
    code = authority.authorise(app, portal, "http://h/", ["crm.objects.contacts.read"], "")
    token = authority.redeem(app, code, "http://h/", "", 60_000).access_token
    await api.get(CALLS)
    answer = await api.get(CALLS, token=token)
    assert answer.headers["X-HubSpot-RateLimit-Remaining"] == "2"
    assert "X-HubSpot-RateLimit-Daily" not in answer.headers


async def test_counts_tell_reads_apart(api: Api, simulator: Simulator) -> None:
    """Object reads, association reads, refusals and the busiest ten seconds are counted."""
    simulator.turn(rate_limit=3)
    await api.get(CALLS)
    await api.post(f"{CALLS}/batch/read", {"inputs": [{"id": "1"}]})
    pair = "/crm/v4/associations/calls/contacts/batch/read"
    await api.post(pair, {"inputs": [{"id": "1"}]})
    await api.get(CALLS)
    counts = simulator.meter(simulator.settings.portal_id).counts
    assert (counts.object_reads, counts.association_reads) == (3, 1)
    assert (counts.refused, counts.peak_10s) == (1, 4)
    assert counts.by_status == {200: 1, 207: 2, 429: 1}


async def test_refused_requests_may_count(api: Api, simulator: Simulator) -> None:
    """If refused requests count, whoever goes on asking stays refused."""
    for counts, status in ((False, 200), (True, 429)):
        simulator.clock.move(60_000)
        simulator.turn(rate_limit=1, refused_count=counts)
        await api.get(CALLS)
        simulator.clock.move(5_000)
        assert (await api.get(CALLS)).status == 429
        simulator.clock.move(5_000)
        assert (await api.get(CALLS)).status == status
