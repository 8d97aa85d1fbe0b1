"""How a search is answered: bounds on id and time by the indexes, everything else by looking."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from tests.simulator.model.calls import Call
from tests.simulator.model.definitions import Definition
from tests.simulator.model.filters import (
    Filter,
    FilterError,
    Key,
    Test,
    compile_filter,
    key,
    text,
    tokens,
)
from tests.simulator.model.search_index import MOST_ID, MOST_MS, SearchIndex

SEARCHED = ("hs_call_title", "hs_body_preview", "hs_call_body")
"""What the free-text query looks at."""


class Span:
    """The ids and the times of modification that a group's filters leave over."""

    def __init__(self) -> None:
        self.ids = [0, MOST_ID]
        self.times = [0, MOST_MS]

    def holds_id(self, call_id: int) -> bool:
        """Return whether an id is within."""
        return self.ids[0] <= call_id <= self.ids[1]

    @property
    def any_id(self) -> bool:
        """True if no filter was on the id."""
        return self.ids == [0, MOST_ID]

    @property
    def any_time(self) -> bool:
        """True if no filter was on the time of modification."""
        return self.times == [0, MOST_MS]

    def narrow(self, item: Filter) -> bool:
        """Take a filter in if it is a bound on id or time; False if it is something else."""
        bounds = {"hs_object_id": self.ids, "hs_lastmodifieddate": self.times}
        span = bounds.get(item.property_name)
        if span is None or item.value is None or item.operator not in _STEPS:
            return False
        kind = "number" if span is self.ids else "datetime"
        value = key(kind, text(item.value))
        if not isinstance(value, int):
            return False
        low_step, high_step = _STEPS[item.operator]
        if low_step is not None:
            span[0] = max(span[0], value + low_step)
        if item.operator == "BETWEEN" and item.high_value is not None:
            high = key(kind, text(item.high_value))
            span[1] = min(span[1], int(high))
        elif high_step is not None:
            span[1] = min(span[1], value + high_step)
        return True


_STEPS: dict[str, tuple[int | None, int | None]] = {
    "EQ": (0, 0),
    "GT": (1, None),
    "GTE": (0, None),
    "LT": (None, -1),
    "LTE": (None, 0),
    "BETWEEN": (0, None),
}


class Plan:
    """One search over an index that has caught up with `until_ms`."""

    def __init__(
        self, index: SearchIndex, until_ms: int, definitions: Mapping[str, Definition]
    ) -> None:
        self._index = index
        self._until_ms = until_ms
        self._definitions = definitions
        self._span = Span()
        self._tests: list[Test] = []

    def _see(self, call_id: int) -> Call:
        return self._index.visible(call_id, self._until_ms)

    def narrow(self, filters: Iterable[Filter]) -> None:
        """Want calls that pass all of these.

        Raises:
            FilterError: one of them makes no sense.
        """
        for item in filters:
            test = compile_filter(item, self._definitions)
            if not self._span.narrow(item):
                self._tests.append(test)

    def either(self, groups: Iterable[Iterable[Filter]]) -> None:
        """Want calls that pass all filters of one group or another.

        Raises:
            FilterError: as above.
        """
        compiled = [[compile_filter(f, self._definitions) for f in group] for group in groups]
        self._tests.append(lambda call: any(all(test(call) for test in g) for g in compiled))

    def mention(self, query: str) -> None:
        """Want calls whose texts have words that begin like these."""
        matches = tokens("".join(f"{word}* " for word in query.split()))
        self._tests.append(
            lambda call: matches(" ".join(call.values.get(name, "") for name in SEARCHED))
        )

    def page(
        self, by: str, offset: int, size: int, *, descending: bool
    ) -> tuple[Sequence[Call], int]:
        """Return a page of what is wanted in the order of a property, and how many there are."""
        by_time = by == "hs_lastmodifieddate"
        found, total = self._candidates(by_time=by_time, descending=descending)
        if total is not None and not self._tests and (by_time or by == "hs_object_id"):
            return [self._see(i) for i in islice(found, offset, offset + size)], total
        calls = [self._see(call_id) for call_id in found]
        if self._tests:
            calls = [call for call in calls if all(test(call) for test in self._tests)]
        if not (by_time or by == "hs_object_id"):
            calls.sort(key=self._rank(by, descending=descending), reverse=descending)
        return calls[offset : offset + size], len(calls)

    def _candidates(self, *, by_time: bool, descending: bool) -> tuple[Iterable[int], int | None]:
        """Return ids by time or by id, the fewest that the bounds leave, and their number if known.

        Bounds on both are met by the narrower index and a look at each id.
        """
        index, span = self._index, self._span
        (low, high), (since, until) = span.ids, span.times
        if by_time:
            found = index.by_modification(since, until, descending=descending)
            if span.any_id:
                return found, index.count_modified(since, until)
            return filter(span.holds_id, found), None
        if not span.any_time and index.count_modified(since, until) < index.count_ids(low, high):
            within = filter(span.holds_id, index.by_modification(since, until))
            ids = sorted(within, reverse=descending)
            return ids, len(ids)
        found = index.by_id(low, high, descending=descending)
        if span.any_time:
            return found, index.count_ids(low, high)
        return (i for i in found if since <= index.modified_at(i) <= until), None

    def _rank(self, by: str, *, descending: bool) -> Callable[[Call], tuple[bool, Key, int]]:
        """Return what calls are sorted by; those without a value come last either way."""
        kind = self._definitions[by].type
        missing: Key = 0 if kind in ("number", "datetime", "date") else ""

        def rank(call: Call) -> tuple[bool, Key, int]:
            try:
                return descending, key(kind, call.values[by]), call.id
            except (FilterError, KeyError):
                return not descending, missing, call.id

        return rank
