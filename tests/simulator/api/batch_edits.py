"""Writing up to a hundred calls: batch create, update, upsert, archive."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from litestar import Response, post

from tests.simulator.answers import HubSpotError, Json, batch_error, invalid, nothing, read_body
from tests.simulator.api.batch import batch_answer, check_size
from tests.simulator.api.objects import under
from tests.simulator.api.reading import Input, ids_of, of_calls, whole_number
from tests.simulator.api.writing import (
    BatchEdit,
    NewCall,
    actor,
    checked,
    create,
    find,
    links_of,
    written_record,
)
from tests.simulator.caller import Caller, HubSpotRequest

T = TypeVar("T", NewCall, BatchEdit)
MISSING = "Could not get some CALL objects, they may be deleted or not exist."


class Inputs(msgspec.Struct, frozen=True):
    """Ids."""

    inputs: list[Input]


class NewCalls(msgspec.Struct, frozen=True):
    """Calls to be logged."""

    inputs: list[NewCall]


class Edits(msgspec.Struct, frozen=True):
    """Calls to be changed."""

    inputs: list[BatchEdit]


def each(
    inputs: Sequence[T], work: Callable[[T], Callable[[], Json]]
) -> tuple[list[Json], list[Json]]:
    """Prepare all inputs, then write those that are valid.

    One that is not refuses the whole batch, unless every input has an `objectWriteTraceId`: then
    it becomes an entry of `errors`, as HubSpot's multi-status handling has it.
    """
    ready: list[Callable[[], Json]] = []
    errors: list[Json] = []
    traced = all(item.object_write_trace_id is not None for item in inputs)
    for item in inputs:
        try:
            ready.append(work(item))
        except HubSpotError as error:
            if not traced:
                raise
            context = {"objectWriteTraceId": [item.object_write_trace_id or ""]}
            category = str(error.body.get("category", ""))
            errors.append(batch_error(category, str(error), context))
    return [write() for write in ready], errors


@post(under("batch", "create"), operation="calls.batch_create")
async def batch_create(request: HubSpotRequest) -> Response[bytes]:
    """Log calls: 201."""
    caller = of_calls(request)
    body = read_body(await request.body(), NewCalls)
    check_size(body.inputs)

    def prepare(item: NewCall) -> Callable[[], Json]:
        values = checked(caller, item.properties, new=True)
        links = links_of(item.associations)
        return lambda: written_record(
            create(caller, values, links), values, item.object_write_trace_id
        )

    results, errors = each(body.inputs, prepare)
    return batch_answer(caller, results, errors, status=201)


@post(under("batch", "update"), operation="calls.batch_update")
async def batch_update(request: HubSpotRequest) -> Response[bytes]:
    """Set properties of calls; those that are not there are named by one error."""
    caller = of_calls(request)
    body = read_body(await request.body(), Edits)
    check_size(body.inputs)
    await caller.strike(ids_of(body.inputs))
    there = [item for item in body.inputs if find(caller, item.id, item.id_property)]
    missing = [str(item.id) for item in body.inputs if item not in there]
    results, errors = each(there, lambda item: _updating(caller, item))
    if missing:
        errors.append(batch_error("OBJECT_NOT_FOUND", MISSING, {"ids": missing}))
    return batch_answer(caller, results, errors)


def _updating(caller: Caller, item: BatchEdit) -> Callable[[], Json]:
    values = checked(caller, item.properties, new=False)
    call = find(caller, item.id, item.id_property)
    if call is None:
        raise invalid(MISSING)

    def write() -> Json:
        caller.account.update(call.id, values, actor(caller))
        return written_record(call, values, item.object_write_trace_id)

    return write


@post(under("batch", "upsert"), operation="calls.batch_upsert")
async def batch_upsert(request: HubSpotRequest) -> Response[bytes]:
    """Update the calls that a unique property finds, and log the others."""
    caller = of_calls(request)
    body = read_body(await request.body(), Edits)
    check_size(body.inputs)

    def prepare(item: BatchEdit) -> Callable[[], Json]:
        if not item.id_property:
            message = "idProperty is required to upsert"
            raise invalid(message)
        if find(caller, item.id, item.id_property) is not None:
            update = _updating(caller, item)
            return lambda: {"new": False, **_as_dict(update())}
        named = {} if item.id_property == "hs_object_id" else {item.id_property: str(item.id)}
        values = checked(caller, item.properties | named, new=True)
        trace = item.object_write_trace_id
        return lambda: {"new": True, **written_record(create(caller, values, ()), values, trace)}

    results, errors = each(body.inputs, prepare)
    return batch_answer(caller, results, errors)


def _as_dict(body: Json) -> dict[str, Json]:
    return msgspec.convert(body, dict[str, Json])


@post(under("batch", "archive"), operation="calls.batch_archive")
async def batch_archive(request: HubSpotRequest) -> Response[bytes]:
    """Move calls to the recycle bin: 204, whether they were there or not."""
    caller = of_calls(request)
    body = read_body(await request.body(), Inputs)
    check_size(body.inputs)
    await caller.strike(ids_of(body.inputs))
    for item in body.inputs:
        call = caller.account.calls.get(whole_number(item.id) or 0)
        if call is not None and call.state == "live":
            caller.account.archive(call.id, actor(caller))
    return nothing()


ROUTES = [batch_create, batch_update, batch_upsert, batch_archive]
