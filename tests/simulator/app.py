"""The simulator as a Litestar application: `create_app()` wires, nothing else."""

import msgspec
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware

from tests.simulator.answers import HubSpotError, answer
from tests.simulator.api import (
    account,
    association_batches,
    associations,
    batch,
    batch_edits,
    edits,
    objects,
    owners,
    search,
)
from tests.simulator.api.control import control_router
from tests.simulator.gate import Gate
from tests.simulator.simulator import Simulator

LARGEST_BODY = 64 * 1024 * 1024


def create_app(simulator: Simulator) -> Litestar:
    """Return the application of one simulator."""
    return Litestar(
        route_handlers=[
            objects.list_calls,
            objects.get_call,
            batch.batch_read,
            search.search_calls,
            edits.create_call,
            edits.update_call,
            edits.archive_call,
            edits.merge_calls,
            edits.gdpr_delete,
            batch_edits.batch_create,
            batch_edits.batch_update,
            batch_edits.batch_upsert,
            batch_edits.batch_archive,
            associations.batch_read,
            associations.list_associations,
            associations.create_association,
            associations.remove_association,
            associations.create_default,
            association_batches.batch_create,
            association_batches.batch_create_default,
            association_batches.batch_archive,
            association_batches.batch_archive_labels,
            association_batches.labels,
            association_batches.report,
            owners.list_owners,
            owners.get_owner,
            account.details,
            account.usage,
            account.dispositions,
            control_router(simulator),
        ],
        middleware=[DefineMiddleware(Gate, simulator=simulator)],
        exception_handlers={HubSpotError: _refuse, HTTPException: _explain},
        lifespan=[lambda _app: simulator.running()],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=LARGEST_BODY,
    )


def _refuse(_request: Request[object, object, State], error: HubSpotError) -> Response[bytes]:
    return Response(
        msgspec.json.encode(error.body),
        status_code=error.status,
        headers=error.headers,
        media_type="application/json",
    )


def _explain(_request: Request[object, object, State], error: HTTPException) -> Response[bytes]:
    """Answer as HubSpot's edge does when no API took the request."""
    message = "resource not found" if error.status_code == 404 else error.detail
    body = {"status": "error", "message": message, "correlationId": "", "category": "NOT_FOUND"}
    return answer(body, error.status_code)
