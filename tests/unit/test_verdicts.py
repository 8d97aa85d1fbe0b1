"""What a read means for hints, and when a missing call is gone."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ledger.hints import Hint
from jobs.live.verdicts import (
    Absence,
    Memo,
    Reading,
    decode_memo,
    doubling,
    encode_memo,
    is_announced,
    is_late,
    is_met,
    merged_into,
    next_absence,
    next_rung,
    weigh,
)
from jobs.timing import Timing

TIMING = Timing()
NOW = 1_700_000_000_000
State = Literal["live", "archived", "missing", "merged"]


def reading(
    state: State = "live", updated_at: int = NOW, **associations: tuple[str, ...]
) -> Reading:
    """Return a read whose association types are written `t0_1` for `0-1`."""
    kinds = {kind[1:].replace("_", "-"): ids for kind, ids in associations.items()}
    return Reading(state, updated_at, associations=kinds)


@pytest.mark.parametrize("kind", ["creation", "propertyChange"])
@pytest.mark.parametrize(("lead", "met"), [(0, True), (1_000, True), (1_001, False)])
def test_change_is_met_within_a_second_of_updated_at(kind: str, lead: int, *, met: bool) -> None:
    """A change is shown by a record updated at most a second before it occurred."""
    assert is_met(Hint(kind, NOW + lead), reading()) is met


@pytest.mark.parametrize("kind", ["creation", "propertyChange"])
def test_change_shown_by_a_slightly_older_record_is_looked_for_again(kind: str) -> None:
    """Of two changes within a second a lagging replica may show the first: told, and kept."""
    hint = Hint(kind, NOW + 1)
    weighed = weigh([hint], reading(), NOW + 5, TIMING)
    assert weighed.met == (hint,)
    assert [kept.occurred_at for kept in weighed.unmet] == [NOW + 1]
    assert weighed.wait_ms == 1_000
    certain = weigh(weighed.unmet, reading(updated_at=NOW + 1), NOW + 1_005, TIMING)
    assert certain.met == weighed.unmet
    assert certain.unmet == ()


@pytest.mark.parametrize("kind", ["deletion", "privacyDeletion"])
@pytest.mark.parametrize(("later", "waits"), [(-1, False), (0, False), (1, True)])
def test_archived_call_that_is_deleted_later_is_looked_for_again(
    kind: str, later: int, *, waits: bool
) -> None:
    """A deletion of what was archived before may be that from the bin: the call may be gone."""
    seen = Reading("archived", NOW - 1, archived_at=NOW)
    weighed = weigh([Hint(kind, NOW + later)], seen, NOW + 5, TIMING)
    assert bool(weighed.met) is True
    assert bool(weighed.unmet) is waits


def test_change_that_stays_slightly_older_is_not_looked_for_without_end() -> None:
    """After two minutes the slightly older record counts as what the hint said."""
    hint = Hint("propertyChange", NOW + 1, tested_at=NOW)
    weighed = weigh([hint], reading(), NOW + TIMING.hint_patience_ms, TIMING)
    assert (weighed.met, weighed.unmet, weighed.dropped) == ((hint,), (), 0)


@pytest.mark.parametrize("removed", [False, True])
@pytest.mark.parametrize("present", [False, True])
def test_association_is_met_by_presence(*, removed: bool, present: bool) -> None:
    """An added association must be there, a removed one must not."""
    hint = Hint("associationChange", NOW, target="0-1:101", removed=removed)
    ids = ("100", "101") if present else ("100",)
    assert is_met(hint, reading(t0_1=ids)) is (present is not removed)


def test_association_of_an_unread_type_is_met() -> None:
    """What is not read cannot be awaited."""
    assert is_met(Hint("associationChange", NOW, target="0-5:7"), reading(t0_1=()))


@pytest.mark.parametrize(
    ("hint", "met_in"),
    [
        (Hint("deletion"), {"archived", "merged"}),
        (Hint("privacyDeletion"), {"archived", "merged"}),
        (Hint("restore"), {"live", "merged"}),
        (Hint("merge", target="9"), {"archived", "merged"}),
        (Hint("merge"), {"live", "archived", "merged"}),
        (Hint("somethingNew"), {"live", "archived", "merged"}),
    ],
)
def test_kinds_are_met_by_states(hint: Hint, met_in: set[State]) -> None:
    """Each kind is met by the states that show it; none while the call is missing everywhere."""
    states: tuple[State, ...] = ("live", "archived", "missing", "merged")
    assert {state for state in states if is_met(hint, reading(state))} == met_in


def test_unmet_hint_waits_rung_by_rung_and_is_then_dropped() -> None:
    """An unmet hint keeps its mark for 1, 5, 30 and 120 s after its own first test."""
    hint = Hint("propertyChange", NOW + 60_000)
    waits: list[int] = []
    dropped = 0
    unmet: tuple[Hint, ...] = (hint,)
    while unmet:
        weighed = weigh(unmet, reading(), NOW + sum(waits), TIMING)
        assert {hint.tested_at for hint in weighed.unmet} <= {NOW}
        unmet, dropped = weighed.unmet, weighed.dropped
        waits.append(weighed.wait_ms)
    assert waits == [1_000, 4_000, 25_000, 90_000, 0]
    assert dropped == 1


def test_later_hint_has_its_own_patience() -> None:
    """A hint that came later is not dropped with an older one."""
    old = Hint("propertyChange", NOW + 60_000, tested_at=NOW - 120_000)
    new = Hint("propertyChange", NOW + 61_000)
    weighed = weigh([old, new], reading(), NOW, TIMING)
    assert weighed.dropped == 1
    assert [hint.tested_at for hint in weighed.unmet] == [NOW]


@given(
    kinds=st.lists(st.sampled_from(["creation", "deletion", "restore", "merge", "new"])),
    state=st.sampled_from(["live", "archived", "missing", "merged"]),
    ages=st.integers(0, 200_000),
)
def test_every_hint_is_met_unmet_or_dropped(kinds: list[str], state: State, ages: int) -> None:
    """Weighing loses no hint, and waits exactly while one is unmet."""
    hints = [Hint(kind, tested_at=NOW - ages) for kind in kinds]
    weighed = weigh(hints, reading(state), NOW, TIMING)
    assert len(weighed.met) + len(weighed.unmet) + weighed.dropped == len(hints)
    assert (weighed.wait_ms > 0) is bool(weighed.unmet)


@given(st.integers(0, 10**9))
def test_next_rung_is_ahead(age: int) -> None:
    """The next rung always lies in the future."""
    assert next_rung(age, TIMING.behind_rungs_ms) >= 1


def test_missing_call_with_arrival_hints_is_late() -> None:
    """A creation, change, restore or added association says the missing call exists."""
    assert is_late([Hint("creation")])
    assert is_late([Hint("propertyChange")])
    assert is_late([Hint("restore")])
    assert is_late([Hint("associationChange", target="0-1:5")])
    assert not is_late([Hint("associationChange", target="0-1:5", removed=True)])
    assert not is_late([Hint("deletion"), Hint("merge", target="1"), Hint("")])


def test_survivor_of_a_merge_is_not_announced_to_go() -> None:
    """A merge announces the departure of the calls that went into another."""
    assert is_announced([Hint("merge", target="1")])
    assert not is_announced([Hint("merge")])
    assert is_announced([Hint("deletion")])
    assert is_announced([Hint("privacyDeletion")])
    assert not is_announced([Hint("creation")])


def test_announced_departure_takes_two_rounds_apart() -> None:
    """With a deletion among the hints the second round, 10 s later, decides."""
    first, wait = next_absence(None, announced=True, now=NOW, timing=TIMING)
    assert wait == 10_000
    early, wait = next_absence(first, announced=True, now=NOW + 4_000, timing=TIMING)
    assert (early, wait) == (first, 6_000)
    _, wait = next_absence(first, announced=False, now=NOW + 10_000, timing=TIMING)
    assert wait == 0


def test_unannounced_departure_is_held_and_confirmed() -> None:
    """Without an announcement the verdict is held for ten minutes and a third round decides."""
    first, _ = next_absence(None, announced=False, now=NOW, timing=TIMING)
    held, wait = next_absence(first, announced=False, now=NOW + 10_000, timing=TIMING)
    assert wait == 600_000
    still, wait = next_absence(held, announced=False, now=NOW + 20_000, timing=TIMING)
    assert (still, wait) == (held, 590_000)
    _, wait = next_absence(held, announced=False, now=NOW + 610_000, timing=TIMING)
    assert wait == 0


def test_announcement_ends_the_hold() -> None:
    """A deletion that arrives while the verdict is held lets the next round decide."""
    held = Absence(rounds=2, last_at=NOW)
    _, wait = next_absence(held, announced=True, now=NOW + 10_000, timing=TIMING)
    assert wait == 0


@given(st.integers(1, 100))
def test_doubling_is_bounded(attempt: int) -> None:
    """A doubling wait starts at its first value and never exceeds its last."""
    wait = doubling(attempt, 250, 5_000)
    assert 250 <= wait <= 5_000
    assert doubling(1, 250, 5_000) == 250
    assert doubling(3, 250, 5_000) == 1_000


def test_memo_survives_the_ledger() -> None:
    """What a reader leaves comes back to the next one; nothing is an empty memo."""
    memo = Memo((Hint("creation", 5, tested_at=7),), dropped_until=9, absence=Absence(1, NOW))
    assert decode_memo(encode_memo(memo)) == memo
    assert decode_memo("") == Memo()


def test_latest_merge_names_the_survivor() -> None:
    """Only a merge with a target says where a call went; of several the latest counts."""
    assert merged_into([Hint("merge", 2, target="7"), Hint("merge", 1, target="5")]) == "7"
    assert merged_into([Hint("merge", 2), Hint("deletion", 3)]) is None
