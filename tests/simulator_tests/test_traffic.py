"""Life in an account is lively, believable and as fast as it was asked to be."""

from collections import Counter
from datetime import UTC, datetime

from tests.simulator.clock import parse_time
from tests.simulator.model.dispositions import DISPOSITIONS
from tests.simulator.simulator import Simulator
from tests.simulator_tests.conftest import START


def test_changes_come_at_the_rate_that_was_asked_for(simulator: Simulator) -> None:
    """At 50 changes a second, 60 s hold about 3,000 (a merge is several), and then none."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    simulator.traffic.start(account, 50)
    simulator.clock.move(60_000)
    assert 2_700 < len(account.log) < 3_500
    simulator.traffic.stop()
    before = len(account.log)
    simulator.clock.move(60_000)
    assert len(account.log) == before


def test_everything_happens(simulator: Simulator) -> None:
    """Calls begin, end, are edited in bursts, linked, archived, restored, merged, purged."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    simulator.traffic.start(account, 50)
    simulator.clock.move(60_000)
    kinds = Counter(change.kind for change in account.log)
    assert set(kinds) == {
        *("created", "updated", "archived", "restored", "purged"),
        *("merged", "absorbed", "associated", "dissociated"),
    }
    bursts = sum(
        here.call_id == there.call_id and here.kind == there.kind == "updated"
        for here, there in zip(account.log, account.log[1:], strict=False)
    )
    assert bursts > 20


def test_calls_are_believable(simulator: Simulator) -> None:
    """Owners exist, outcomes are known, durations are ms, notes are HTML in many scripts."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    simulator.traffic.life(account).bulk(600)
    calls = [*account.calls.values()]
    owners = {str(person.id) for person in account.people}
    assert {call.values["hubspot_owner_id"] for call in calls} <= owners
    assert {call.values["hs_call_disposition"] for call in calls} <= set(DISPOSITIONS)
    assert all(call.values["hs_call_duration"].isdecimal() for call in calls)
    notes = "".join(call.values.get("hs_call_body", "") for call in calls)
    assert "<p>" in notes
    assert any(ord(letter) > 0x3000 for letter in notes)
    assert {len(call.links) for call in calls} == {0, 1}
    moments = [datetime.fromtimestamp(parse_time(c.created_at) / 1000, UTC) for c in calls]
    weekend = sum(moment.weekday() > 4 for moment in moments)
    assert weekend < len(calls) / 10
    assert sum(8 <= moment.hour < 18 for moment in moments) > len(calls) * 0.6


def test_nights_are_quiet_in_office_hours(simulator: Simulator) -> None:
    """With office hours a Thursday morning has many times the changes of the night after it."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    simulator.traffic.start(account, 0.2, office_hours=True)
    simulator.clock.move(2 * 3_600_000)
    morning = len(account.log)
    simulator.clock.move(10 * 3_600_000)
    before = len(account.log)
    simulator.clock.move(2 * 3_600_000)
    assert morning > 5 * (len(account.log) - before)


def test_an_import_is_told(simulator: Simulator) -> None:
    """An import logs calls of the past now, from the source IMPORT; a made-up past is not told."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    told: list[str] = []
    account.listeners.append(lambda _, change: told.append(change.by.source))
    simulator.traffic.life(account).import_now(3)
    assert told == ["IMPORT"] * 3
    assert {change.at for change in account.log} == {START}
