"""`POST …/batch/read`: up to a hundred calls by id."""

from collections.abc import Sequence

import msgspec
from litestar import Response, post

from tests.simulator.answers import Batch, Json, answer, batch_error, invalid, read_body
from tests.simulator.api.objects import PAGE, PAGE_WITH_HISTORY, under
from tests.simulator.api.reading import (
    Input,
    Query,
    ids_of,
    lookup,
    of_calls,
)
from tests.simulator.caller import Caller, HubSpotRequest
from tests.simulator.clock import iso
from tests.simulator.model.records import project, record

MISSING = (
    "Could not get some CALL objects, they may be deleted or not exist. Check that ids are valid."
)
ALWAYS_200 = ("2026-09-beta", "2026-09", "2027-03-beta")
"""Versions whose batch answers are 200 even if some of it failed."""


class BatchRead(msgspec.Struct, rename="camel"):
    """The body of a batch read."""

    inputs: list[Input]
    properties: list[str] = []
    properties_with_history: list[str] = []
    id_property: str | None = None


def check_size(inputs: Sequence[object], most: int = PAGE) -> None:
    """Refuse an empty batch and one of more than `most` inputs."""
    if not inputs:
        message = "inputs must not be empty"
        raise invalid(message)
    if len(inputs) > most:
        message = f"The maximum number of inputs supported in a batch request is {most}, not {{}}"
        raise invalid(message.format(len(inputs)))


def batch_answer(
    caller: Caller,
    results: Sequence[Json],
    errors: Sequence[Json] = (),
    *,
    status: int = 200,
) -> Response[bytes]:
    """Return a batch answer: 207 when there are errors, but in the versions that know no 207."""
    body = Batch(
        status="COMPLETE",
        results=results,
        started_at=iso(caller.came_at),
        completed_at=iso(caller.simulator.clock.now_ms()),
        num_errors=len(errors),
        errors=errors,
    )
    return answer(body, 207 if errors and caller.version not in ALWAYS_200 else status)


@post(under("batch", "read"), operation="calls.batch_read")
async def batch_read(request: HubSpotRequest) -> Response[bytes]:
    """Return the calls that are there; one error names all that are not."""
    caller = of_calls(request)
    body = read_body(await request.body(), BatchRead)
    wanted = project(caller.account.definitions, body.properties, body.properties_with_history)
    if wanted.history and len(body.inputs) > PAGE_WITH_HISTORY:
        message = (
            "The maximum number of inputs supported in a batch request for property histories "
            f"is {PAGE_WITH_HISTORY}"
        )
        raise invalid(message)
    check_size(body.inputs)
    await caller.strike(ids_of(body.inputs))
    archived = Query(request).flag("archived")
    found: dict[int, Json] = {}
    missing: dict[str, None] = {}
    for item in body.inputs:
        call = lookup(caller, item.id, archived=archived)
        if call is None:
            missing[str(item.id)] = None
        elif call.id not in found:
            found[call.id] = record(call, wanted)
    results = [found[call_id] for call_id in sorted(found)]
    errors = [batch_error("OBJECT_NOT_FOUND", MISSING, {"ids": [*missing]})] if missing else []
    return batch_answer(caller, results, errors)


ROUTES = [batch_read]
