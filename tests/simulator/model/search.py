"""Search over one account's calls, with HubSpot's limits and its delay."""

from collections.abc import Sequence

import msgspec

from tests.simulator.model.account import Account
from tests.simulator.model.calls import Call
from tests.simulator.model.filters import Filter, FilterError
from tests.simulator.model.search_index import SearchIndex
from tests.simulator.model.search_plan import Plan

MOST_RESULTS, MOST_PAGE, MOST_BODY = 10_000, 200, 3_000
MOST_GROUPS, MOST_PER_GROUP, MOST_FILTERS = 5, 6, 18


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


class Search:
    """Search of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._index: SearchIndex | None = None

    def run(self, request: SearchRequest, until_ms: int) -> Found:
        """Return a page of the calls as they were at `until_ms`, which is the delay's edge.

        Raises:
            FilterError: the request breaks one of HubSpot's limits.
        """
        _check(request)
        if self._index is None:
            self._index = SearchIndex(self._account, until_ms)
        self._index.catch_up(until_ms)
        offset = _offset(request.after)
        if offset + request.limit > MOST_RESULTS:
            message = f"The maximum number of results for a query is {MOST_RESULTS}"
            raise FilterError(message)
        sort, definitions = _sort(request), self._account.definitions
        if sort.property_name not in definitions:
            message = f"Cannot sort by {sort.property_name[:80]!r}"
            raise FilterError(message)
        plan = Plan(self._index, until_ms, definitions)
        for group in request.filter_groups[:1] if len(request.filter_groups) == 1 else ():
            plan.narrow(group.filters)
        if len(request.filter_groups) > 1:
            plan.either([group.filters for group in request.filter_groups])
        if request.query:
            plan.mention(request.query)
        descending = sort.direction == "DESCENDING"
        calls, total = plan.page(sort.property_name, offset, request.limit, descending=descending)
        end = offset + len(calls)
        return Found(calls, total, end if end < total else None)


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
