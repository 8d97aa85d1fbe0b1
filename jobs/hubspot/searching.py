"""The one search that is asked of HubSpot: calls by when they were last modified, by id. Pure.

HubSpot's search gives 10,000 results per query however they are paged by offset, so pages go by id
instead: `hs_object_id GT last`, sorted by id. A body may have 3,000 characters; this one has 400.
"""

from typing import Final

import msgspec

PAGE: Final = 200
"""The most results of one page (HubSpot's search guide)."""

MODIFIED: Final = "hs_lastmodifieddate"
MERGED: Final = "hs_merged_object_ids"
"""On a call that survived a merge: the ids of the others, joined by semicolons."""


def search_body(since_ms: int, until_ms: int | None, after_id: str, limit: int) -> bytes:
    """Return the request's body: calls modified from `since_ms` to `until_ms`, both inclusive."""
    modified: dict[str, str] = {"propertyName": MODIFIED, "operator": "GTE", "value": str(since_ms)}
    if until_ms is not None:
        modified |= {"operator": "BETWEEN", "highValue": str(until_ms)}
    beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": after_id}
    return msgspec.json.encode(
        {
            "filterGroups": [{"filters": [modified, beyond]}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": [MODIFIED, MERGED],
            "limit": limit,
        }
    )
