"""What a page does to a run's record: counts, cursor, pace, rate, and the listing's end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jobs.backfill.pages import associations_of
from jobs.backfill.record import (
    CATCH_UP_MS,
    RATE_OVER_MS,
    Run,
    Tally,
    goes_in_a_circle,
    id_of,
    moved,
    next_due,
    parse_id,
)
from jobs.hubspot.schema import AssociatedId, AssociatedIds, Call, NextPage, Paging
from jobs.instants import EPOCH

NOW = 1_700_000_000_000
RUN = Run(
    id="62515-live-3", portal_id=62515, reads="live", state="running", started_at=NOW, due_at=NOW
)


def after(run: Run, cursor: str | None, tally: Tally, now: int) -> Run:
    """Return the record as the script would leave it."""
    change = moved(run, cursor, tally, now)
    added = {name: getattr(run, name) + number for name, number in change.add.items()}
    return replace(run, **change.set, **added)


def test_a_page_is_counted() -> None:
    """Every call of a page is in one of four counts, and seen is their sum."""
    tally = Tally(published=60, unchanged=30, marked=7, set_aside=3)
    run = after(RUN, "next", tally, NOW)
    assert (run.pages, run.step, run.cursor) == (1, 1, "next")
    assert (run.seen, run.published, run.unchanged) == (100, 60, 30)
    assert (run.marked, run.set_aside) == (7, 3)
    assert not run.saw_end


def test_the_last_page_ends_the_run() -> None:
    """A page that names no other is the end, and the run has seen it."""
    run = after(replace(RUN, cursor="here"), None, Tally(published=1), NOW + 5)
    assert (run.state, run.saw_end, run.ended_at, run.cursor) == ("finished", True, NOW + 5, "")


def test_success_ends_a_row_of_failures() -> None:
    """A page that could be had forgets the attempts, not the last error."""
    run = after(replace(RUN, attempts=3, error="server"), "next", Tally(), NOW)
    assert (run.attempts, run.error) == (0, "server")


@given(
    ceiling=st.integers(1, 1_000),
    lateness=st.lists(st.integers(0, 3_000), min_size=20, max_size=200),
)
def test_a_ceiling_is_kept(ceiling: int, lateness: list[int]) -> None:
    """However late its turns come, a run makes no more requests than its ceiling and a second's."""
    run = replace(RUN, ceiling=ceiling)
    times: list[int] = []
    for late in lateness:
        now = max(run.due_at, times[-1] if times else NOW) + late
        times.append(now)
        run = replace(run, due_at=next_due(run, now))
    gap = 10_000 // ceiling
    burst = CATCH_UP_MS // max(1, gap) + 2
    for start in range(len(times)):
        within = sum(time < times[start] + 10_000 for time in times[start:])
        assert within <= 10_000 / max(1, gap) + burst


def test_without_a_ceiling_a_page_is_due_at_once() -> None:
    """Only the budget holds up a run that has no ceiling of its own."""
    assert next_due(RUN, NOW + 7) == NOW + 7


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """The rate is measured anew every few seconds, over those."""
    run = after(RUN, "a", Tally(published=100), NOW + RATE_OVER_MS - 1)
    assert run.rate == 0
    run = after(run, "b", Tally(published=100), NOW + RATE_OVER_MS)
    assert run.rate == pytest.approx(200_000 / RATE_OVER_MS)
    run = after(run, "c", Tally(published=100), NOW + 3 * RATE_OVER_MS)
    assert run.rate == pytest.approx(100_000 / (2 * RATE_OVER_MS))


@given(lead=st.integers(0, 40), length=st.integers(1, 40))
def test_any_circle_is_noticed(lead: int, length: int) -> None:
    """A listing that goes in a circle is noticed, whatever came before the circle."""
    run, step = RUN, 0
    while True:
        cursor = str(step if step < lead else lead + (step - lead) % length)
        if goes_in_a_circle(run, cursor):
            break
        run = after(run, cursor, Tally(), NOW)
        step += 1
        assert step <= 4 * (lead + length) + 4
    assert step >= length


@given(count=st.integers(1, 300))
def test_a_listing_that_ends_is_no_circle(count: int) -> None:
    """Cursors that never come back are never taken for a circle."""
    run = RUN
    for step in range(count):
        assert not goes_in_a_circle(run, str(step))
        run = after(run, str(step), Tally(), NOW)
    assert not goes_in_a_circle(run, None)


def test_ids_name_account_and_kind() -> None:
    """An id tells the account and what is read; what is none tells nothing."""
    assert parse_id(id_of(62515, "archived", 12)) == (62515, "archived")
    for text in ("", "62515", "62515-live", "62515-live-", "62515-dead-1", "x-live-1", "1-live-x"):
        assert parse_id(text) is None


def call(**associations: AssociatedIds | None) -> Call:
    """Return a call with these associations."""
    return Call(
        id="512",
        properties={},
        created_at=EPOCH,
        updated_at=EPOCH,
        archived=False,
        associations=associations or None,
    )


def others(*ids: str, more: bool = False) -> AssociatedIds:
    """Return associated ids, as a page shows them."""
    paging = Paging(NextPage("7")) if more else None
    return AssociatedIds(tuple(AssociatedId(other, "call_to_contact") for other in ids), paging)


def test_associations_of_a_page() -> None:
    """Ids come sorted and once; a type without any is none, and so is a record without any."""
    known = associations_of(call(contacts=others("30", "7", "30"), deals=None), {"contacts"})
    assert known is None
    known = associations_of(call(contacts=others("30", "7", "30")), {"contacts", "deals"})
    assert known == {"contacts": ("7", "30")}
    assert associations_of(call(), {"contacts"}) == {}


def test_associations_that_are_not_all_there() -> None:
    """More pages, or a type of another name than was asked for, leave the call in doubt."""
    assert associations_of(call(contacts=others("7", more=True)), {"contacts"}) is None
    assert associations_of(call(contacts=others("7")), {"0-1"}) is None
