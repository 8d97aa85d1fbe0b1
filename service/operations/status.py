"""`GET /ops/status`: the figures of `callstream status --json`, for operators.

A handler for the operators' router, which guards it: on its own it lets everybody in.
"""

from typing import Annotated, Final

from litestar import get
from litestar.datastructures import State
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import Parameter
from litestar.status_codes import HTTP_503_SERVICE_UNAVAILABLE

from jobs.redis import TRANSIENT
from service.figures import MOST, Desk, Figures, NoSuchAccountError
from service.problems import RETRY_AFTER_S

DESK: Final = "desk"
"""Where the application's state holds `service.figures.Desk`."""
_LONGEST_ID: Final = (1 << 63) - 1


@get("/status", summary="How accounts, collections, the journal, streams and queues do")
async def look(
    state: State,
    portal_id: Annotated[int | None, Parameter(ge=1, le=_LONGEST_ID)] = None,
    most: Annotated[int, Parameter(ge=1, le=1_000)] = MOST,
) -> Figures:
    """Answer the figures, with the worst accounts or the named one; 404 if that is unknown."""
    desk: Desk = state[DESK]
    try:
        return await desk.figures(portal_id=portal_id, most=most)
    except NoSuchAccountError as error:
        raise NotFoundException(str(error)) from error
    except TRANSIENT as error:
        away = "Redis is away"
        raise HTTPException(
            away,
            status_code=HTTP_503_SERVICE_UNAVAILABLE,
            headers={"Retry-After": str(RETRY_AFTER_S)},
        ) from error
