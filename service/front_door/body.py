"""Reads raw request bodies, bounded in size, in time, and in how much is being read at once."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from litestar.types import Receive

from jobs.timing import Timing
from service.problems import Problem, RefusedError, retry_later

_CLOSE: Final = (b"connection", b"close")
_PLAIN: Final = frozenset({b"", b"identity"})
_PACKED: Final = Problem(
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "the body is packed; nothing is unpacked here",
    ((b"accept-encoding", b"identity"), _CLOSE),
)
_TOO_SLOW: Final = Problem(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time", (_CLOSE,))


class DisconnectedError(Exception):
    """The client went away before its body was complete."""


class BodyReader:
    """Reads bodies of up to `most` bytes each, and `most_at_once` bytes of unfinished ones."""

    def __init__(self, most: int, timing: Timing, *, most_at_once: int = 128 * 2**20) -> None:
        self._most = most
        self._most_at_once = max(most, most_at_once)
        self._timeout_s = timing.body_read_ms / 1000
        self._reading = 0

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """Return the body byte for byte.

        Raises:
            RefusedError: it is packed (415), too large (413) or too slow (408), or too much is
                being read (503). The connection of one that was not read to its end is closed.
            DisconnectedError: the client went away.
        """
        if headers.get(b"content-encoding", b"identity").lower() not in _PLAIN:
            raise RefusedError(_PACKED)
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._most:
            raise RefusedError(self._too_large())
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._read(receive)
        except TimeoutError as error:
            raise RefusedError(_TOO_SLOW) from error

    async def _read(self, receive: Receive) -> bytes:
        body, more = await _next(receive)
        if not more and len(body) <= self._most:
            return body
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                size += len(body)
                self._reading += len(body)
                if size > self._most:
                    raise RefusedError(self._too_large())
                if self._reading > self._most_at_once:
                    raise RefusedError(retry_later("too many large bodies at once"))
                chunks.append(body)
                if not more:
                    return b"".join(chunks)
                body, more = await _next(receive)
        finally:
            self._reading -= size

    def _too_large(self) -> Problem:
        return Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body is larger than {self._most} bytes",
            (_CLOSE,),
        )


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] != "http.request":
        raise DisconnectedError
    # Both keys are optional in ASGI.
    return message.get("body", b""), message.get("more_body", False)
