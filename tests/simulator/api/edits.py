"""Writing one call: create, update, archive, merge, gdpr-delete."""

import msgspec
from litestar import Response, delete, patch, post

from tests.simulator.answers import answer, invalid, not_found, nothing, read_body
from tests.simulator.api.objects import ONE, under
from tests.simulator.api.reading import Query, of_calls, of_one_call, whole_number
from tests.simulator.api.writing import (
    Edit,
    NewCall,
    actor,
    checked,
    create,
    find,
    links_of,
    written_record,
)
from tests.simulator.caller import HubSpotRequest


class MergeOrder(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a merge."""

    primary_object_id: str | int
    object_id_to_merge: str | int


class GdprOrder(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a privacy deletion."""

    object_id: str | int
    id_property: str | None = None


@post(ONE, operation="calls.create")
async def create_call(request: HubSpotRequest) -> Response[bytes]:
    """Log a call: 201 with what was written."""
    caller = of_calls(request)
    body = read_body(await request.body(), NewCall)
    values = checked(caller, body.properties, new=True)
    call = create(caller, values, links_of(body.associations))
    return answer(written_record(call, values, body.object_write_trace_id), 201)


@patch(under("{object_id:str}"), operation="calls.update")
async def update_call(request: HubSpotRequest) -> Response[bytes]:
    """Set properties; an empty string clears one."""
    caller, object_id = await of_one_call(request)
    body = read_body(await request.body(), Edit)
    call = find(caller, object_id, Query(request).one("idProperty") or None)
    if call is None:
        raise not_found()
    values = checked(caller, body.properties, new=False)
    caller.account.update(call.id, values, actor(caller))
    return answer(written_record(call, values))


@delete(under("{object_id:str}"), operation="calls.archive", status_code=200)
async def archive_call(request: HubSpotRequest) -> Response[bytes]:
    """Move a call to the recycle bin; one that is there already is no error."""
    caller, object_id = await of_one_call(request)
    call = caller.account.calls.get(whole_number(object_id) or 0)
    if call is None or call.state not in ("live", "archived"):
        raise not_found()
    if call.state == "live":
        caller.account.archive(call.id, actor(caller))
    return nothing()


@post(under("merge"), operation="calls.merge")
async def merge_calls(request: HubSpotRequest) -> Response[bytes]:
    """Merge one call into another, and return the survivor."""
    caller = of_calls(request)
    body = read_body(await request.body(), MergeOrder)
    primary = find(caller, body.primary_object_id, None)
    other = find(caller, body.object_id_to_merge, None)
    if primary is None or other is None:
        raise not_found()
    if primary is other:
        message = "Cannot merge a record with itself"
        raise invalid(message)
    survivor = caller.account.merge(primary.id, [other.id], actor(caller))
    return answer(written_record(survivor, survivor.values))


@post(under("gdpr-delete"), operation="calls.gdpr_delete")
async def gdpr_delete(request: HubSpotRequest) -> Response[bytes]:
    """Erase a call for good."""
    caller = of_calls(request)
    body = read_body(await request.body(), GdprOrder)
    call = find(caller, body.object_id, body.id_property)
    if call is None:
        raise not_found()
    caller.account.purge(call.id, actor(caller), privacy=True)
    return nothing()


ROUTES = [create_call, update_call, archive_call, merge_calls, gdpr_delete]
