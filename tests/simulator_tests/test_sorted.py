"""The sorted containers are sorted lists, only quicker."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.model.sorted import SortedIds, SortedKeys

CHANGES = st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=80)


class SmallKeys(SortedKeys):
    """The same in chunks of four, so that few keys are enough to split and join."""

    _CHUNK = 4


@given(CHANGES, st.integers(0, 60), st.integers(1, 10))
def test_ids_are_a_sorted_set(changes: list[tuple[bool, int]], start: int, size: int) -> None:
    """After any additions and removals every page is that of a sorted list."""
    ids, model = SortedIds(), set[int]()
    for add, item in changes:
        if add and item not in model:
            ids.add(item)
            model.add(item)
        elif not add:
            ids.remove(item)
            model.discard(item)
    ordered = sorted(model)
    assert list(ids) == ordered
    assert len(ids) == len(ordered)
    assert ids.page(start, size) == [item for item in ordered if item >= start][:size]


@given(st.sets(st.integers(0, 60)), CHANGES, st.integers(0, 60), st.integers(0, 60))
def test_keys_are_a_sorted_set(
    first: set[int], changes: list[tuple[bool, int]], low: int, high: int
) -> None:
    """After any additions and removals ranks and ranges are those of a sorted list."""
    keys, model = SmallKeys(first), set(first)
    for add, item in changes:
        if add and item not in model:
            keys.add(item)
            model.add(item)
        elif not add:
            keys.remove(item)
            model.discard(item)
    ordered = sorted(model)
    between = [item for item in ordered if low <= item <= high]
    assert len(keys) == len(ordered)
    assert keys.rank(low) == bisect_left(ordered, low)
    assert list(keys.between(low, high)) == between
    assert list(keys.between(low, high, descending=True)) == between[::-1]
