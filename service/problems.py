"""Errors as RFC 9457 problem details."""

from http import HTTPStatus

import msgspec
import structlog
from litestar.exceptions import HTTPException
from litestar.plugins.problem_details import (
    ProblemDetailsConfig,
    ProblemDetailsException,
    ProblemDetailsPlugin,
)
from litestar.types import Send

_log = structlog.get_logger(__name__)

MEDIA_TYPE = b"application/problem+json"
RETRY_AFTER_S = 5


class Problem(msgspec.Struct, frozen=True):
    """One error answer."""

    status: HTTPStatus
    detail: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class RefusedError(Exception):
    """The request gets an error answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def retry_later(detail: str) -> Problem:
    """Return a 503 that asks to come back in `RETRY_AFTER_S`."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, detail, ((b"retry-after", str(RETRY_AFTER_S).encode()),)
    )


async def send_problem(send: Send, problem: Problem) -> None:
    """Answer an ASGI request with the problem."""
    status = problem.status
    body = msgspec.json.encode(
        {"status": status.value, "title": status.phrase, "detail": problem.detail}
    )
    headers = [(b"content-type", MEDIA_TYPE), (b"content-length", str(len(body)).encode())]
    await send(
        {
            "type": "http.response.start",
            "status": status.value,
            "headers": [*headers, *problem.headers],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})


def problem_details() -> ProblemDetailsPlugin:
    """Return the plugin that turns every exception of a handler into problem details."""
    return ProblemDetailsPlugin(
        ProblemDetailsConfig(
            exception_to_problem_detail_map={HTTPException: _expected, Exception: _unexpected}
        )
    )


def _expected(error: HTTPException) -> ProblemDetailsException:
    return ProblemDetailsException(
        status_code=error.status_code,
        title=HTTPStatus(error.status_code).phrase,
        detail=error.detail,
        extra=error.extra,
        headers=error.headers,
    )


def _unexpected(error: Exception) -> ProblemDetailsException:
    """Log the error and answer 500 without a word of it."""
    _log.error("request failed", exc_info=error)
    return ProblemDetailsException(
        status_code=HTTPStatus.INTERNAL_SERVER_ERROR,
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        detail="the request met an error; the service's log has it",
    )
