"""The windows of a search: whatever moves while it pages, no modification is skipped."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.reconciliation import windows
from jobs.reconciliation.windows import MOST_ROWS, DisorderError, Windows, begin

PAGE = 200

spans = st.integers(0, 10_000).flatmap(
    lambda low: st.tuples(st.just(low), st.integers(low, low + 100_000))
)


class Searched:
    """Rows as HubSpot's search would answer them, some of which move while they are paged."""

    def __init__(self, rows: dict[int, int]) -> None:
        self.rows = rows
        """Call -> when it was last modified."""
        self.asked = 0

    def page(self, left: Windows, page: int) -> tuple[int, list[str]]:
        """Return how many match and the first of them."""
        self.asked += 1
        found = sorted(
            call_id
            for call_id, at in self.rows.items()
            if left.low <= at <= left.high and call_id > int(left.last_id)
        )
        return len(found), [str(call_id) for call_id in found[:page]]


def search(
    searched: Searched, left: Windows, moves: list[tuple[int, int]], page: int = PAGE
) -> tuple[set[str], Windows]:
    """Page through all windows; before each page one row moves to another time."""
    seen: set[str] = set()
    while left.highs:
        if moves:
            call_id, at = moves.pop(0)
            searched.rows[call_id] = at
        total, ids = searched.page(left, page)
        after = left.after(total, ids)
        assert after.low >= left.low
        if not left.is_halved_by(after):
            seen.update(ids)
        left = after
    return seen, left


@given(
    st.dictionaries(st.integers(1, 500), st.integers(0, 60), max_size=200),
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(1, 500), st.integers(61, 90)), max_size=40),
    st.integers(1, 20),
)
def test_every_modification_is_found(
    rows: dict[int, int], until: int, moves: list[tuple[int, int]], page: int
) -> None:
    """What a window holds is found by it, or, if it was modified meanwhile, by the next one."""
    before = dict(rows)
    searched = Searched(dict(rows))
    first, left = search(searched, begin(0, until), list(moves), page)
    assert left.low == until + 1
    second, _ = search(searched, begin(until + 1, 200), [], page)
    assert {str(call_id) for call_id, at in before.items() if at <= until} <= first | second
    assert {str(call_id) for call_id, at in searched.rows.items() if at > until} <= second


@given(
    spans,
    st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 250)), max_size=40),
)
def test_windows_cover_the_span_once(span: tuple[int, int], answers: list[tuple[int, int]]) -> None:
    """Whatever HubSpot answers, what is done and what is left make up the span, without overlap."""
    low, high = span
    left = begin(low, high)
    for total, rows in answers:
        if not left.highs:
            break
        ids = [str(int(left.last_id) + 1 + row) for row in range(min(rows, total))]
        before, left = left, left.after(total, ids)
        assert list(left.highs) == sorted(left.highs, reverse=True)
        assert left.highs[:1] == ((high,) if left.highs else ())
        assert before.low <= left.low <= high + 1
        if left.highs:
            assert left.low <= left.high
            assert left.high - left.low <= before.high - before.low or left.low > before.low


def test_many_rows_in_one_millisecond_are_paged_by_id() -> None:
    """A window of one millisecond is not halved, however much it holds."""
    searched = Searched(dict.fromkeys(range(1, 25_001), 77))
    seen, left = search(searched, begin(77, 77), [])
    assert len(seen) == 25_000
    assert searched.asked == 25_000 // PAGE
    assert left == Windows(78, ())


def test_a_crowded_window_is_halved_before_it_is_paged() -> None:
    """More than nine thousand rows: the earlier half comes first, the page that told is left."""
    left = begin(0, 99).after(MOST_ROWS + 1, ["1"])
    assert left == Windows(0, (99, 49))
    assert begin(0, 99).is_halved_by(left)
    assert left.after(0, []) == Windows(50, (99,))


def test_a_window_that_is_being_paged_is_not_halved() -> None:
    """Once a page has counted, the window keeps its bounds."""
    left = Windows(0, (99,), "17").after(MOST_ROWS + 1, ["18"])
    assert left == Windows(0, (99,), "18")


@pytest.mark.parametrize("ids", [["5"], ["8", "7"], ["6", "6"], [None]])
def test_rows_out_of_order_end_the_search(ids: list[str | None]) -> None:
    """Paging by id would skip rows that HubSpot does not give by id."""
    with pytest.raises(DisorderError):
        Windows(0, (99,), "5").after(100, ids)


def test_windows_survive_being_stored() -> None:
    """They are the same after they were written down as JSON."""
    left = Windows(3, (99, 49), "17")
    assert msgspec.json.decode(msgspec.json.encode(left), type=windows.Windows) == left


def test_an_empty_span_needs_no_search() -> None:
    """A span that ends before it begins has no windows."""
    assert begin(10, 9).highs == ()
