"""Associations made and removed in batches, their types, and the high-usage report."""

from collections.abc import Callable, Sequence

import msgspec
from litestar import Response, get, post

from tests.simulator.answers import (
    HubSpotError,
    Json,
    answer,
    batch_error,
    not_found,
    nothing,
    read_body,
)
from tests.simulator.api.associations import MOST_INPUTS, PAIR, as_default, as_labels, label
from tests.simulator.api.batch import batch_answer, check_size
from tests.simulator.api.ends import Ends, Pair, associate, dissociate, read_ends
from tests.simulator.api.reading import of_version, whole_number
from tests.simulator.api.writing import Spec, Target
from tests.simulator.caller import Caller, HubSpotRequest


class Between(msgspec.Struct, frozen=True, rename={"source": "from"}):
    """Two records, and the types of association between them."""

    source: Target
    to: Target
    types: Sequence[Spec] = ()

    @property
    def pair(self) -> Pair:
        """The two records."""
        return Pair(self.source.id, self.to.id)


class BatchBetween(msgspec.Struct, frozen=True):
    """The body of a batch creation."""

    inputs: list[Between]


class Apart(msgspec.Struct, frozen=True, rename={"source": "from"}):
    """A record, and those that it is to be associated with no more."""

    source: Target
    to: Sequence[Target]


class BatchApart(msgspec.Struct, frozen=True):
    """The body of a batch removal."""

    inputs: list[Apart]


def each(
    inputs: Sequence[Between], work: Callable[[Between], Json]
) -> tuple[list[Json], list[Json]]:
    """Do the work for every input; one that fails becomes an error of the batch."""
    results: list[Json] = []
    errors: list[Json] = []
    for item in inputs:
        try:
            results.append(work(item))
        except HubSpotError as error:
            context = {"fromObjectId": [str(item.source.id)], "toObjectId": [str(item.to.id)]}
            errors.append(batch_error(str(error.body["category"]), str(error), context))
    return results, errors


@post(
    [f"{path}/batch/create" for path in PAIR],
    operation="associations.batch_create",
)
async def batch_create(request: HubSpotRequest) -> Response[bytes]:
    """Associate pairs of records: 201, or 207 where some could not be."""
    caller, ends = read_ends(request)
    body = read_body(await request.body(), BatchBetween)
    check_size(body.inputs, MOST_INPUTS)

    def work(item: Between) -> Json:
        for spec in item.types:
            associate(caller, ends, item.pair, spec.association_type_id)
        return as_labels(ends, item.pair)

    results, errors = each(body.inputs, work)
    return batch_answer(caller, results, errors, status=201)


@post(
    [f"{path}/batch/associate/default" for path in PAIR],
    operation="associations.batch_create_default",
)
async def batch_create_default(request: HubSpotRequest) -> Response[bytes]:
    """Associate pairs of records under the default type."""
    caller, ends = read_ends(request)
    body = read_body(await request.body(), BatchBetween)
    check_size(body.inputs, MOST_INPUTS)

    def work(item: Between) -> Json:
        associate(caller, ends, item.pair)
        return as_default(ends, item.pair)

    results, errors = each(body.inputs, work)
    return batch_answer(caller, results, errors)


@post([f"{path}/batch/archive" for path in PAIR], operation="associations.batch_archive")
async def batch_archive(request: HubSpotRequest) -> Response[bytes]:
    """Remove all associations between records."""
    caller, ends = read_ends(request)
    body = read_body(await request.body(), BatchApart)
    check_size(body.inputs, MOST_INPUTS)
    for item in body.inputs:
        for target in item.to:
            _apart(caller, ends, Pair(item.source.id, target.id))
    return _removed(caller)


@post(
    [f"{path}/batch/labels/archive" for path in PAIR],
    operation="associations.batch_archive_labels",
)
async def batch_archive_labels(request: HubSpotRequest) -> Response[bytes]:
    """Remove associations of certain types."""
    caller, ends = read_ends(request)
    body = read_body(await request.body(), BatchBetween)
    check_size(body.inputs, MOST_INPUTS)
    for item in body.inputs:
        for spec in item.types:
            _apart(caller, ends, item.pair, spec.association_type_id)
    return _removed(caller)


def _apart(caller: Caller, ends: Ends, pair: Pair, type_id: int = 0) -> None:
    """Remove an association; a call that is not there has none."""
    try:
        dissociate(caller, ends, pair, type_id)
    except HubSpotError as error:
        if error.status != 404:
            raise


def _removed(caller: Caller) -> Response[bytes]:
    """Return the answer to a removal: v4 has none, the dated specs an empty batch."""
    return nothing() if caller.version == "v4" else batch_answer(caller, [])


@get([f"{path}/labels" for path in PAIR], operation="associations.labels")
async def labels(request: HubSpotRequest) -> Response[bytes]:
    """Return the association types between two object types."""
    _, ends = read_ends(request)
    return answer({"results": [label(ends.default_type, "v4")]})


@post(
    "/crm/associations/{version:str}/usage/high-usage-report/{user_id:str}",
    operation="associations.report",
)
async def report(request: HubSpotRequest) -> Response[bytes]:
    """Promise a report by mail."""
    caller = of_version(request)
    number = whole_number(caller.params["user_id"])
    if number is None or number >= 2**31:
        raise not_found()
    now = caller.came_at
    moment = {"value": now, "dateOnly": False, "timeZoneShift": 0}
    mail = f"user-{number}@example.com"
    return answer({"userId": number, "userEmail": mail, "enqueueTime": moment})


ROUTES = [batch_create, batch_create_default, batch_archive, batch_archive_labels, labels, report]
