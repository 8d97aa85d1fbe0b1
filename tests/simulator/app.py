"""The simulator as a Litestar application: `create_app()` wires, nothing else."""

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from tests.simulator.answers import HubSpotError, answer
from tests.simulator.api import ROUTES
from tests.simulator.api.control import control_router
from tests.simulator.gate import Gate
from tests.simulator.model.catalogue import CatalogueError
from tests.simulator.simulator import Simulator

LARGEST_BODY = 64 * 1024 * 1024

UNKNOWN_ROUTE = "00000000-0000-4000-8000-000000000404"
"""The correlation id of requests that no route took."""

_AnyRequest = Request[object, object, State]


def create_app(simulator: Simulator) -> Litestar:
    """Return the application of one simulator."""
    return Litestar(
        route_handlers=[*ROUTES, control_router(simulator)],
        middleware=[Gate(simulator)],
        exception_handlers={
            HubSpotError: _refuse,
            CatalogueError: _refuse_definition,
            HTTPException: _explain,
        },
        lifespan=[lambda _app: simulator.running()],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=LARGEST_BODY,
    )


def _refuse(_request: _AnyRequest, error: HubSpotError) -> Response[bytes]:
    return Response(
        error.encoded(),
        status_code=error.status,
        headers=error.headers,
        media_type="application/json",
    )


def _refuse_definition(request: _AnyRequest, error: CatalogueError) -> Response[bytes]:
    return _refuse(request, HubSpotError(error.status, error.category, str(error)))


def _explain(_request: _AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer as HubSpot's edge does when no API took the request."""
    message = "resource not found" if error.status_code == 404 else error.detail
    body = {
        "status": "error",
        "message": message,
        "correlationId": UNKNOWN_ROUTE,
        "category": "NOT_FOUND",
    }
    return answer(body, error.status_code)
