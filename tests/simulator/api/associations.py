"""Associations of calls, v4 and dated: read in batches and lists, made and removed one by one."""

import msgspec
from litestar import Response, delete, get, post, put

from tests.simulator.answers import Json, answer, batch_error, invalid, nothing, read_body
from tests.simulator.api.batch import batch_answer, check_size
from tests.simulator.api.ends import (
    Ends,
    Pair,
    associate,
    dissociate,
    links_from,
    read_ends,
    read_pair,
)
from tests.simulator.api.reading import Query, ids_of, whole_number
from tests.simulator.api.writing import Spec
from tests.simulator.caller import HubSpotRequest
from tests.simulator.model.kinds import SINGULAR, TYPE_IDS
from tests.simulator.model.reverse import Links

MOST_INPUTS, MOST_LISTED = 1_000, 500

PAIR = [
    "/crm/{version:str}/associations/{kind:str}/{to_kind:str}",
    "/crm/associations/{version:str}/{kind:str}/{to_kind:str}",
]
RECORD = [
    "/crm/{version:str}/objects/{kind:str}/{object_id:str}/associations",
    "/crm/objects/{version:str}/{kind:str}/{object_id:str}/associations",
]


class Fetch(msgspec.Struct):
    """One record whose associations are wanted, from a page on."""

    id: str | int
    after: str | None = None


class BatchFetch(msgspec.Struct):
    """The body of an associations batch read."""

    inputs: list[Fetch]


def page_of(
    links: Links, version: str, after: str | None, size: int
) -> tuple[list[Json], str | None]:
    """Return a page of associated records with all their types, and where the next one starts."""
    start = whole_number(after) if after else 0
    if start is None:
        message = f"after: {(after or '')[:40]!r} is not a cursor of these associations"
        raise invalid(message)
    ids = sorted(target for target in links if target >= start)
    shown: list[Json] = [
        {
            "toObjectId": target if version == "v4" else str(target),
            "associationTypes": [label(type_id, version) for type_id in links[target]],
        }
        for target in ids[:size]
    ]
    return shown, str(ids[size]) if len(ids) > size else None


def label(type_id: int, version: str) -> dict[str, Json]:
    """Return an association type; v4 says that it has no label."""
    body: dict[str, Json] = {"category": "HUBSPOT_DEFINED", "typeId": type_id}
    return body | {"label": None} if version == "v4" else body


def paging(request: HubSpotRequest, after: str) -> dict[str, Json]:
    """Return where the next page is."""
    link = f"https://api.hubapi.com{request.scope['path']}?after={after}"
    return {"next": {"after": after, "link": link}}


@post([f"{path}/batch/read" for path in PAIR], operation="associations.batch_read")
async def batch_read(request: HubSpotRequest) -> Response[bytes]:
    """Return the associations of each record; those that have none are named by errors."""
    caller, ends = read_ends(request)
    body = read_body(await request.body(), BatchFetch)
    check_size(body.inputs, MOST_INPUTS)
    await caller.strike(ids_of(body.inputs))
    size = caller.simulator.knobs.association_page
    results: list[Json] = []
    errors: list[Json] = []
    for item in body.inputs:
        found, after = page_of(links_from(caller, ends, item.id), caller.version, item.after, size)
        if not found:
            errors.append(_none(ends, item.id))
            continue
        entry: dict[str, Json] = {"from": {"id": str(item.id)}, "to": found}
        if after is not None:
            entry["paging"] = paging(request, after)
        results.append(entry)
    return batch_answer(caller, results, errors)


def _none(ends: Ends, object_id: str | int) -> Json:
    here, there = SINGULAR[ends.here], SINGULAR[ends.there]
    return batch_error(
        "OBJECT_NOT_FOUND",
        f"No {there} is associated with {here} {object_id}.",
        {"fromObjectId": [str(object_id)], "fromObjectType": [here], "toObjectType": [there]},
        sub_category="crm.associations.NO_ASSOCIATIONS_FOUND",
    )


@get([f"{path}/{{to_kind:str}}" for path in RECORD], operation="associations.list")
async def list_associations(request: HubSpotRequest) -> Response[bytes]:
    """Return a page of one record's associations."""
    (caller, ends), query = read_ends(request), Query(request)
    object_id = caller.params["object_id"]
    await caller.strike(frozenset(filter(None, [whole_number(object_id)])))
    most = min(MOST_LISTED, caller.simulator.knobs.association_page)
    size = query.number("limit", most, MOST_LISTED)
    links = links_from(caller, ends, object_id)
    found, after = page_of(links, caller.version, query.one("after") or None, size)
    body: dict[str, Json] = {"results": found}
    if after is not None:
        body["paging"] = paging(request, after)
    return answer(body)


@put(
    [f"{path}/{{to_kind:str}}/{{to_id:str}}" for path in RECORD],
    operation="associations.create",
    status_code=201,
)
async def create_association(request: HubSpotRequest) -> Response[bytes]:
    """Associate two records under the types that the body lists."""
    caller, ends, pair = read_pair(request)
    specs = read_body(await request.body(), list[Spec])
    if not specs:
        message = "At least one association type is required"
        raise invalid(message)
    for spec in specs:
        associate(caller, ends, pair, spec.association_type_id)
    return answer(as_labels(ends, pair), 201)


def as_labels(ends: Ends, pair: Pair) -> dict[str, Json]:
    """Return two associated records as writes answer them."""
    return {
        "fromObjectTypeId": TYPE_IDS[ends.here],
        "fromObjectId": str(pair.from_id),
        "toObjectTypeId": TYPE_IDS[ends.there],
        "toObjectId": str(pair.to_id),
        "labels": [],
    }


@delete(
    [f"{path}/{{to_kind:str}}/{{to_id:str}}" for path in RECORD],
    operation="associations.remove",
    status_code=200,
)
async def remove_association(request: HubSpotRequest) -> Response[bytes]:
    """Remove all associations between two records."""
    dissociate(*read_pair(request))
    return nothing()


@put(
    [f"{path}/default/{{to_kind:str}}/{{to_id:str}}" for path in RECORD],
    operation="associations.create_default",
)
async def create_default(request: HubSpotRequest) -> Response[bytes]:
    """Associate two records under the default type."""
    caller, ends, pair = read_pair(request)
    associate(caller, ends, pair)
    return batch_answer(caller, [as_default(ends, pair)])


def as_default(ends: Ends, pair: Pair) -> dict[str, Json]:
    """Return two associated records as writes of the default type answer them."""
    return {
        "from": {"id": str(pair.from_id)},
        "to": {"id": str(pair.to_id)},
        "associationSpec": {
            "associationCategory": "HUBSPOT_DEFINED",
            "associationTypeId": ends.default_type,
        },
    }


ROUTES = [batch_read, list_associations, create_association, remove_association, create_default]
