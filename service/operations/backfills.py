"""`/ops/backfills`: start a backfill, look at it, pause, resume and cancel it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, cast

import msgspec
from litestar import Litestar, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from redis.exceptions import RedisError

from jobs.backfill.operate import Backfills, NoSuchRunError, NotConnectedError, WrongStateError
from jobs.backfill.record import Reads, Run
from jobs.backfill.report import Report, report_of
from service.problems import RETRY_AFTER_S

PATH: Final = "/backfills"
_ONE: Final = f"{PATH}/{{run_id:str}}"
_LONGEST_ID: Final = (1 << 63) - 1
_HIGHEST_CEILING: Final = 1_000_000

HttpRequest = Request[None, None, State]


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to start."""

    portal_id: Annotated[int, msgspec.Meta(ge=1, le=_LONGEST_ID)]
    archived: bool = False
    """The archived calls instead of the live ones."""
    ceiling: Annotated[int, msgspec.Meta(ge=1, le=_HIGHEST_CEILING)] | None = None
    """The most requests per 10 s that it may make."""


class Started(msgspec.Struct, frozen=True):
    """What was started, or was at work already."""

    id: str


@post(PATH, status_code=202, summary="Start a backfill, or find the one at work")
async def start(request: HttpRequest, data: Order) -> Response[Started]:
    """Answer 202 with the run's id; 409 if the account is not connected."""
    backfills = backfills_of(request.app)

    async def begin() -> Run:
        reads: Reads = "archived" if data.archived else "live"
        started = await backfills.start(data.portal_id, reads, ceiling=data.ceiling or 0)
        return started.run

    run = await _done(begin)
    headers = {"Location": f"{request.url.path.rstrip('/')}/{run.id}"}
    return Response(Started(run.id), status_code=202, headers=headers)


@get(_ONE, summary="Look at a backfill")
async def look(request: HttpRequest, run_id: str) -> Report:
    """Answer the run; 404 if there is none, or a later one of its kind took its place."""
    return report_of(await _done(lambda: backfills_of(request.app).find(run_id)))


@delete(_ONE, status_code=200, summary="Cancel a backfill")
async def cancel(request: HttpRequest, run_id: str) -> Report:
    """Answer the cancelled run; 404 as above, 409 if it has finished."""
    return report_of(await _done(lambda: backfills_of(request.app).cancel(run_id)))


@post(f"{_ONE}/pause", status_code=200, summary="Pause a backfill")
async def pause(request: HttpRequest, run_id: str) -> Report:
    """Answer the paused run; 404 as above, 409 if it has ended."""
    return report_of(await _done(lambda: backfills_of(request.app).pause(run_id)))


@post(f"{_ONE}/resume", status_code=200, summary="Let a paused or failed backfill go on")
async def resume(request: HttpRequest, run_id: str) -> Report:
    """Answer the run, which goes on; 404 as above, 409 if it is neither paused nor failed."""
    return report_of(await _done(lambda: backfills_of(request.app).resume(run_id)))


def backfills_of(app: Litestar) -> Backfills:
    """Return the backfills that the application's lifespan has set up."""
    return cast("Backfills", app.state["backfills"])


async def _done(order: Callable[[], Awaitable[Run]]) -> Run:
    """Return the run that the order is about.

    Raises:
        HTTPException: it cannot be done, or Redis is away.
    """
    try:
        return await order()
    except NoSuchRunError as error:
        raise HTTPException(status_code=404, detail=str(error)) from error
    except (NotConnectedError, WrongStateError) as error:
        raise HTTPException(status_code=409, detail=str(error)) from error
    except (RedisError, OSError, TimeoutError) as error:
        raise HTTPException(
            status_code=503,
            detail="Redis does not answer",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        ) from error
