"""Our description of what HubSpot may answer, as strategies that generate such documents.

Within it: nulls where HubSpot sends them, optional fields absent, unknown keys, history and
warnings in any form, ids as numbers, text of any script and length with halves of surrogate pairs,
numbers of any size.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from hypothesis import strategies as st

Document = dict[str, object]
Members = dict[str, st.SearchStrategy[object]]

texts = st.one_of(
    st.text(),
    st.text(st.characters(exclude_categories=())),  # halves of surrogate pairs too
    st.text(min_size=1, max_size=3).map(lambda text: text * 20_000),
)
"""Any text, now and then a long one."""

values: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**17, max_value=10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
"""Any JSON value."""

ids = st.integers(min_value=0, max_value=2**63 - 1).map(str)
any_ids = ids | st.integers(min_value=0, max_value=2**63 - 1)
"""Decimal text, or the number itself."""

_EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
_LATEST = datetime(9998, 1, 1, tzinfo=UTC)


def _written(parts: tuple[int, str]) -> str:
    moment = datetime.fromtimestamp(parts[0], UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="seconds") + parts[1]


times = st.tuples(
    st.integers(int(_EARLIEST.timestamp()), int(_LATEST.timestamp())),
    st.sampled_from(["Z", ".000Z", ".123Z", ".123456Z", "+02:00", ".5-11:30"]),
).map(_written)
"""RFC 3339 with an offset."""

unknown = st.dictionaries(st.text(max_size=8).map("x{}".format), values, max_size=2)
"""Members of a later release: no key of ours begins with an x."""


def _object(required: Members, optional: Members) -> st.SearchStrategy[Document]:
    """Return objects with the required members, some optional ones and some unknown ones."""
    return st.tuples(unknown, st.fixed_dictionaries(required, optional=optional)).map(_joined)


def _joined(parts: tuple[Mapping[str, object], ...]) -> Document:
    return {name: member for part in parts for name, member in part.items()}


paging = _object({}, {"next": st.none() | _object({"after": st.text(min_size=1)}, {"link": texts})})

associations = st.dictionaries(
    st.text(),
    st.none()
    | _object(
        {"results": st.lists(_object({"id": ids}, {"type": st.none() | texts}), max_size=3)},
        {"paging": st.none() | paging},
    ),
    max_size=2,
)

history_entry = _object(
    {"value": texts, "timestamp": times, "sourceType": texts},
    {"sourceId": texts, "sourceLabel": st.none() | texts, "updatedByUserId": st.integers()},
)
history = values | st.dictionaries(st.text(), st.lists(history_entry, max_size=2), max_size=2)

calls = _object(
    {
        "id": any_ids,
        "properties": st.dictionaries(texts, st.none() | texts, max_size=6),
        "createdAt": times,
        "updatedAt": times,
        "archived": st.booleans(),
    },
    {
        "archivedAt": st.none() | times,
        "associations": st.none() | associations,
        "propertiesWithHistory": history,
        "warnings": values,
        "url": st.none() | texts,
        "objectWriteTraceId": st.none() | texts,
    },
)
"""Call records."""

pages = _object({"results": st.lists(calls, max_size=4)}, {"paging": st.none() | paging})
"""Pages of the calls listing."""

errors = _object(
    {},
    {
        "status": values,
        "category": values,
        "message": values,
        "context": values | st.dictionaries(st.text(), st.lists(values, max_size=3), max_size=2),
        "errors": values | st.lists(values, max_size=2),
        "links": values,
        "subCategory": values,
        "correlationId": values,
        "policyName": values,
    },
)
"""Error bodies, any member in any form."""

batches = st.tuples(
    pages,
    _object(
        {"status": st.sampled_from(["COMPLETE", "PENDING", "PROCESSING", "CANCELED", "LATER"])},
        {
            "errors": values | st.lists(errors, max_size=2),
            "numErrors": st.none() | st.integers(0, 9),
        },
    ),
).map(_joined)
"""Answers to batch reads."""

association_rows = _object(
    {
        "from": _object({"id": any_ids}, {}),
        "to": st.lists(
            _object({"toObjectId": any_ids}, {"associationTypes": values})
            | _object({"id": any_ids}, {"type": values}),
            max_size=4,
        ),
    },
    {"paging": st.none() | paging},
)
"""Rows of an associations batch read, in the forms of v3, v4 and 2026-03."""


def encode(document: object) -> bytes:
    """Return the document as JSON; halves of surrogate pairs as escapes, as on the wire."""
    return json.dumps(document).encode()


def whole(text: str) -> str:
    """Return the text as it is read: each half of a surrogate pair as U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
