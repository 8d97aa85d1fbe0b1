"""Search over one account's calls, with HubSpot's limits and its delay."""

from collections.abc import Iterable, Sequence
from itertools import islice

import msgspec

from tests.simulator.model.account import Account
from tests.simulator.model.calls import Call
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

MOST_RESULTS, MOST_PAGE, MOST_BODY = 10_000, 200, 3_000
MOST_GROUPS, MOST_PER_GROUP, MOST_FILTERS = 5, 6, 18
SEARCHED = ("hs_call_title", "hs_body_preview", "hs_call_body")
"""What the free-text query looks at."""


class Group(msgspec.Struct, frozen=True):
    """Filters that must all match."""

    filters: Sequence[Filter] = ()


class Sort(msgspec.Struct, frozen=True, rename="camel"):
    """The order of the results."""

    property_name: str = "hs_object_id"
    direction: str = "DESCENDING"


class SearchRequest(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a search."""

    filter_groups: Sequence[Group] = ()
    sorts: Sequence[Sort | str] = ()
    query: str | None = None
    properties: Sequence[str] = ()
    limit: int = 10
    after: str | int | None = None


class Found(msgspec.Struct, frozen=True):
    """A page of results."""

    calls: Sequence[Call]
    total: int
    after: int | None


class Span:
    """The ids and the times of modification that a group's filters leave over."""

    def __init__(self) -> None:
        self.ids = [0, MOST_ID]
        self.times = [0, MOST_MS]

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


class Search:
    """Search of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._index = SearchIndex(account)

    def run(self, request: SearchRequest, until_ms: int) -> Found:
        """Return a page of the calls as they were at `until_ms`, which is the delay's edge.

        Raises:
            FilterError: the request breaks one of HubSpot's limits.
        """
        _check(request)
        self._index.catch_up(until_ms)
        offset = _offset(request.after)
        if offset + request.limit > MOST_RESULTS:
            message = f"The maximum number of results for a query is {MOST_RESULTS}"
            raise FilterError(message)
        sort = _sort(request)
        descending = sort.direction == "DESCENDING"
        if sort.property_name not in self._account.definitions:
            message = f"Cannot sort by {sort.property_name[:80]!r}"
            raise FilterError(message)
        ids, total = self._ids(request, sort.property_name, offset, until_ms, descending=descending)
        calls = [self._index.visible(call_id, until_ms) for call_id in ids]
        end = offset + len(calls)
        return Found(calls, total, end if end < total else None)

    def _ids(
        self, request: SearchRequest, by: str, offset: int, until_ms: int, *, descending: bool
    ) -> tuple[Sequence[int], int]:
        span, tests = Span(), [self._query(request.query)] if request.query else []
        alternatives: list[list[Test]] = []
        if len(request.filter_groups) == 1:
            for item in request.filter_groups[0].filters:
                test = compile_filter(item, self._account.definitions)
                if not span.narrow(item):
                    tests.append(test)
        else:
            alternatives = [
                [compile_filter(item, self._account.definitions) for item in group.filters]
                for group in request.filter_groups
            ]
        if alternatives:
            tests.append(lambda call: any(all(t(call) for t in group) for group in alternatives))
        candidates, order, total = self._candidates(span, by, descending=descending)
        if not tests and order == by:
            return [*islice(candidates, offset, offset + request.limit)], total
        matched = self._matching(candidates, tests, until_ms)
        if order != by:
            matched = self._ordered(matched, by, until_ms, descending=descending)
        return matched[offset : offset + request.limit], len(matched)

    def _candidates(
        self, span: Span, by: str, *, descending: bool
    ) -> tuple[Iterable[int], str, int]:
        """Return the fewest ids that the span leaves, what they are ordered by, and how many."""
        (low, high), (since, until) = span.ids, span.times
        index = self._index
        ids, times = index.count_ids(low, high), index.count_modified(since, until)
        everything = index.count_ids(0, MOST_ID)
        if times < everything and (times < ids or by == "hs_lastmodifieddate"):
            found = index.by_modification(since, until, descending=descending)
            if ids == everything:
                return found, "hs_lastmodifieddate", times
            within = [call_id for call_id in found if low <= call_id <= high]
            return within, "hs_lastmodifieddate", len(within)
        if times < everything:
            allowed = {*index.by_modification(since, until)}
            within = [i for i in index.by_id(low, high, descending=descending) if i in allowed]
            return within, "hs_object_id", len(within)
        if by == "hs_lastmodifieddate" and ids == everything:
            return index.by_modification(0, MOST_MS, descending=descending), by, everything
        return index.by_id(low, high, descending=descending), "hs_object_id", ids

    def _matching(
        self, candidates: Iterable[int], tests: Sequence[Test], until_ms: int
    ) -> list[int]:
        if not tests:
            return list(candidates)
        see = self._index.visible
        return [i for i in candidates if all(test(see(i, until_ms)) for test in tests)]

    def _ordered(
        self, ids: Sequence[int], by: str, until_ms: int, *, descending: bool
    ) -> list[int]:
        kind = self._account.definitions[by].type

        def rank(call_id: int) -> tuple[bool, Key, int]:
            value = self._index.visible(call_id, until_ms).values.get(by)
            missing: Key = 0 if kind in ("number", "datetime", "date") else ""
            if value is None:
                return (descending, missing, call_id)
            try:
                return (not descending, key(kind, value), call_id)
            except FilterError:
                return (descending, missing, call_id)

        if by == "hs_object_id":
            return sorted(ids, reverse=descending)
        return sorted(ids, key=rank, reverse=descending)

    def _query(self, query: str) -> Test:
        matches = tokens("".join(f"{word}* " for word in query.split()))
        return lambda call: matches(" ".join(call.values.get(name, "") for name in SEARCHED))


def _check(request: SearchRequest) -> None:
    groups = request.filter_groups
    if len(groups) > MOST_GROUPS:
        message = f"A query may have {MOST_GROUPS} filter groups at most"
    elif any(len(group.filters) > MOST_PER_GROUP for group in groups):
        message = f"A filter group may have {MOST_PER_GROUP} filters at most"
    elif sum(len(group.filters) for group in groups) > MOST_FILTERS:
        message = f"A query may have {MOST_FILTERS} filters at most"
    elif not 0 < request.limit <= MOST_PAGE:
        message = f"limit must be between 1 and {MOST_PAGE}"
    elif len(request.sorts) > 1:
        message = "A query may have one sort at most"
    else:
        return
    raise FilterError(message)


def _offset(after: str | int | None) -> int:
    text = str(after or 0)
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(MOST_RESULTS)):
        message = f"after: {text[:40]!r} is not an offset up to {MOST_RESULTS}"
        raise FilterError(message)
    return int(text)


def _sort(request: SearchRequest) -> Sort:
    """Return the wanted order; without one the oldest call comes first."""
    if not request.sorts:
        return Sort(direction="ASCENDING")
    sort = request.sorts[0]
    if isinstance(sort, str):
        down = sort.startswith("-")
        return Sort(sort.lstrip("-+"), "DESCENDING" if down else "ASCENDING")
    return sort
