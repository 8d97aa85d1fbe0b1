"""Associations of calls, v4 and dated: batch read with paging of its own."""

import msgspec
from litestar import Response, post

from tests.simulator.answers import Json, batch_error, invalid, not_found, read_body
from tests.simulator.api.batch import batch_answer, check_size
from tests.simulator.api.reading import VERSIONS, ids_of, whole_number
from tests.simulator.gate import Caller, HubSpotRequest, caller_of
from tests.simulator.model.calls import Call
from tests.simulator.model.kinds import SINGULAR, plural

MOST_INPUTS = 1_000


class Fetch(msgspec.Struct):
    """One record whose associations are wanted, from a page on."""

    id: str | int
    after: str | None = None


class BatchFetch(msgspec.Struct):
    """The body of an associations batch read."""

    inputs: list[Fetch]


def check_version(version: str) -> None:
    """Raise the 404 of a version without associations."""
    if version != "v4" and version not in VERSIONS[1:]:
        raise not_found()


def other_end(from_kind: str, to_kind: str) -> str:
    """Return the plural name of the type that calls are associated with."""
    here, there = plural(from_kind), plural(to_kind)
    if here is None or there is None:
        message = f"Unable to infer object type from: {(to_kind if here else from_kind)[:80]}"
        raise invalid(message)
    if here != "calls" or there == "calls":
        message = f"No association types between {here} and {there} are simulated."
        raise invalid(message)
    return there


def targets(
    call: Call, kind: str, version: str, after: str | None, page: int
) -> tuple[list[Json], str | None]:
    """Return a page of associated records with all their types, and where the next one starts."""
    start = whole_number(after) if after else 0
    if start is None:
        message = f"after: {after!r} is not a cursor of these associations"
        raise invalid(message)
    links = call.links.get(kind, {})
    ids = [target for target in sorted(links) if target >= start]
    shown: list[Json] = [
        {
            "toObjectId": target if version == "v4" else str(target),
            "associationTypes": [
                {"category": "HUBSPOT_DEFINED", "typeId": type_id, "label": None}
                if version == "v4"
                else {"category": "HUBSPOT_DEFINED", "typeId": type_id}
                for type_id in links[target]
            ],
        }
        for target in ids[:page]
    ]
    return shown, str(ids[page]) if len(ids) > page else None


def readable(caller: Caller, call_id: str | int) -> Call | None:
    """Return the call whose associations are asked for, live or archived."""
    number = whole_number(call_id)
    call = caller.account.calls.get(number) if number is not None else None
    if call is None:
        return None
    seen = caller.seen(call)
    return seen if seen.state in ("live", "archived") else None


@post(
    [
        "/crm/{version:str}/associations/{kind:str}/{to_kind:str}/batch/read",
        "/crm/associations/{version:str}/{kind:str}/{to_kind:str}/batch/read",
    ],
    operation="associations.batch_read",
)
async def batch_read(
    request: HubSpotRequest, version: str, kind: str, to_kind: str
) -> Response[bytes]:
    """Return the associations of each record; those that have none are named by errors."""
    check_version(version)
    there = other_end(kind, to_kind)
    caller = caller_of(request)
    body = read_body(await request.body(), BatchFetch)
    check_size(body.inputs, MOST_INPUTS)
    await caller.strike(ids_of(body.inputs))
    page = caller.simulator.knobs.association_page
    results: list[Json] = []
    errors: list[Json] = []
    for item in body.inputs:
        call = readable(caller, item.id)
        found, after = targets(call, there, version, item.after, page) if call else ([], None)
        if not found:
            errors.append(_none(item.id, there))
            continue
        entry: dict[str, Json] = {"from": {"id": str(item.id)}, "to": found}
        if after is not None:
            link = f"https://api.hubapi.com{request.scope['path']}?after={after}"
            entry["paging"] = {"next": {"after": after, "link": link}}
        results.append(entry)
    return batch_answer(caller, version, results, errors)


def _none(call_id: str | int, there: str) -> Json:
    other = SINGULAR[there]
    return batch_error(
        "OBJECT_NOT_FOUND",
        f"No {other} is associated with call {call_id}.",
        {"fromObjectId": [str(call_id)], "fromObjectType": ["call"], "toObjectType": [other]},
        sub_category="crm.associations.NO_ASSOCIATIONS_FOUND",
    )
