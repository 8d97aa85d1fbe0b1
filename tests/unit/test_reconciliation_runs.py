"""Which reconciliation is due, what it moves, and which of its finds count as missed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.hubspot.schema import decode_call
from jobs.ledger.hints import Hint
from jobs.live.reading import Found, Missing
from jobs.live.verdicts import Absence, Memo, Weighed
from jobs.live.work import Offer, Work
from jobs.reconciliation.merging import merged_ids
from jobs.reconciliation.missed import missed_among
from jobs.reconciliation.runs import (
    CLOCKS_APART_MS,
    Ask,
    Rhythm,
    Run,
    Standing,
    after_page,
    after_search,
    due_in,
    ended,
    next_run,
    watermark_after,
)
from jobs.reconciliation.windows import Windows
from jobs.stream.stream import Outcome, Published, Unchanged

CONNECTED = 1_000_000_000
RHYTHM = Rhythm(600_000, 604_800_000, CONNECTED)
FULL = Run(id="r", portal_id=1, kind="full", since=1)
NEW = Published(1, "updated", reverted=False)
FOUND = Hint(occurred_at=5_000, origin="reconciliation", found="search", right_at=4_000)
NAMED = Hint("deletion", 4_500)

times = st.integers(0, 1 << 41)


def due(standing: Standing, now: int) -> Run | None:
    """Return the run that is due."""
    return next_run(standing, 1, "new", now, RHYTHM)


def test_a_first_search_begins_before_the_connection() -> None:
    """Without a watermark all is searched that changed since shortly before the connection."""
    run = due(Standing(), CONNECTED + 1)
    assert run is not None
    assert (run.kind, run.since) == ("search", CONNECTED - CLOCKS_APART_MS)


def test_the_first_round_waits_for_its_time() -> None:
    """A round is due so long after the connection, or after the last one began."""
    at = CONNECTED + RHYTHM.round_ms
    before, then = due(Standing(), at - 1), due(Standing(), at)
    assert before is not None
    assert then is not None
    assert (before.kind, then.kind) == ("search", "full")
    later = due(Standing(round_at=at), at + RHYTHM.round_ms)
    assert later is not None
    assert later.kind == "full"


@given(times, times, times, times)
def test_a_run_is_due_exactly_when_its_time_has_come(
    watermark: int, searched_at: int, round_at: int, now: int
) -> None:
    """Nothing is begun while `due_in` tells a time, and something is begun when it tells none."""
    standing = Standing(watermark=watermark, searched_at=searched_at, round_at=round_at)
    wait_ms = due_in(standing, now, RHYTHM)
    assert (due(standing, now) is None) == (wait_ms > 0)
    assert due(standing, now + wait_ms) is not None


@given(times, st.integers(1, 1 << 41))
def test_what_an_operator_asks_for_never_skips(watermark: int, since: int) -> None:
    """A run that is asked for begins at the wanted time, or earlier where the last one ended."""
    standing = Standing(watermark=watermark, searched_at=1, asked=Ask(id="a", since=since))
    run = due(standing, CONNECTED)
    assert run is not None
    assert (run.id, run.cause) == ("a", "operator")
    assert run.since <= since
    assert run.since <= (watermark + 1 if watermark else CONNECTED)


@given(times, times)
def test_the_watermark_never_goes_back(watermark: int, low: int) -> None:
    """It follows the windows that are done, and stays where an earlier run has brought it."""
    run = msgspec.structs.replace(FULL, windows=Windows(low, ()))
    assert watermark_after(Standing(watermark=watermark), run) == max(watermark, low - 1)
    assert watermark_after(Standing(watermark=watermark), FULL) == watermark


def test_the_steps_of_a_round() -> None:
    """Search, archived calls, live calls, calls that nobody named; a search is only the first."""
    steps = [FULL.step]
    run = after_search(FULL)
    steps.append(run.step)
    run = after_page(after_page(run, "a"), None)
    steps.append(run.step)
    steps.append(after_page(run, None).step)
    assert steps == ["search", "archived", "live", "unnamed"]
    assert after_search(msgspec.structs.replace(FULL, kind="search")).step == "end"


@pytest.mark.parametrize("circle", [1, 2, 3, 7, 20])
def test_a_listing_that_goes_in_a_circle_meets_its_anchor(circle: int) -> None:
    """However long the circle, a cursor comes again that was kept."""
    run = after_search(FULL)
    for page in range(200):
        after = str(page % circle)
        if after in (run.after, run.anchor):
            return
        run = after_page(run, after)
    pytest.fail("it went round for ever")


def test_runs_survive_being_stored() -> None:
    """A run is the same after it was written down."""
    run = msgspec.structs.replace(
        ended(FULL, 9, failed="why"), windows=Windows(3, (9,), "7"), clocks=(1, 2), after="%3D"
    )
    assert msgspec.json.decode(msgspec.json.encode(run), type=Run) == run


def offer(*hints: Hint, absence: Absence | None = None, found: bool = True) -> Offer:
    """Return an offered call that was marked for these reasons."""
    call = decode_call(
        b'{"id":"512","properties":{},"createdAt":"2024-01-15T10:30:00Z",'
        b'"updatedAt":"2024-01-15T10:30:00Z","archived":false}'
    )
    return Offer(
        Work("512", Memo(absence=absence), hints, 0),
        Found(call, {}) if found else Missing(),
        Weighed(hints, (), 0, 0),
    )


@pytest.mark.parametrize(
    ("offered", "outcome", "missed"),
    [
        (offer(FOUND), NEW, True),
        (offer(FOUND), Unchanged(), False),
        (offer(FOUND, NAMED), NEW, False),
        (offer(NAMED), NEW, False),
        (offer(), NEW, False),
        (offer(Hint(origin="reconciliation")), NEW, False),
        (offer(absence=Absence(found=FOUND), found=False), NEW, True),
        (offer(NAMED, absence=Absence(found=FOUND), found=False), NEW, False),
    ],
)
def test_missed_is_what_nobody_named(offered: Offer, outcome: Outcome, *, missed: bool) -> None:
    """A call is missed if its state was new and only reconciliation had named it."""
    misses = missed_among([offered], {"512": outcome}, 10_000)
    assert [miss.call_id for miss in misses] == (["512"] if missed else [])
    assert all(miss.age_ms == 5_000 and not miss.at_most for miss in misses)


def test_an_age_that_hubspot_does_not_tell_is_bounded() -> None:
    """Without a time of change the age counts from when the last event was known to be right."""
    unnamed = Hint(origin="reconciliation", found="unnamed", right_at=4_000)
    (miss,) = missed_among([offer(unnamed, found=False)], {"512": NEW}, 10_000)
    assert (miss.age_ms, miss.at_most) == (6_000, True)
    unknown = Hint(origin="reconciliation", found="listing")
    (miss,) = missed_among([offer(unknown)], {"512": NEW}, 10_000)
    assert miss.age_ms is None


@pytest.mark.parametrize(
    ("value", "ids"), [("", []), ("7;8", ["7", "8"]), (" 7 ; 512;x;", ["7"]), ("9" * 30, [])]
)
def test_merged_ids_are_read_as_far_as_they_can(value: str, ids: list[str]) -> None:
    """What is no id, and the survivor itself, is passed over."""
    call = decode_call(
        msgspec.json.encode(
            {
                "id": "512",
                "properties": {"hs_merged_object_ids": value},
                "createdAt": "2024-01-15T10:30:00Z",
                "updatedAt": "2024-01-15T10:30:00Z",
                "archived": False,
            }
        )
    )
    assert merged_ids(call) == ids
