"""A small HTTP server for one ASGI app, which can also do what a broken network does."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from litestar import Litestar
from multidict import CIMultiDict

EXTENSION = "simulator.wire"
LONGEST_LINE = 1 << 20
"""Longer request lines never reach the app; it answers 414 to much shorter ones."""


class Wire:
    """The connection of one request."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self.keep: int | None = None
        """Send only so many bytes of the body, then cut."""

    def cut(self) -> None:
        """Close the connection at once, without an answer."""
        if self._request.transport is not None:
            self._request.transport.abort()


class Exchange:
    """One request and its answer between aiohttp and the ASGI app."""

    def __init__(self, app: Litestar, request: web.BaseRequest) -> None:
        self._app = app
        self._request = request
        self._wire = Wire(request)
        self._status = 500
        self._headers: list[tuple[str, str]] = []
        self._body = bytearray()

    async def run(self) -> web.StreamResponse:
        """Let the app answer, and return what goes back."""
        await self._app(self._scope(), self._receive, self._send)  # type: ignore[arg-type]
        headers = CIMultiDict(self._headers)
        body = bytes(self._body)
        if self._wire.keep is None:
            return web.Response(status=self._status, headers=headers, body=body)
        part = web.StreamResponse(status=self._status, headers=headers)
        part.content_length = len(body)
        with contextlib.suppress(ConnectionError):
            await part.prepare(self._request)
            await part.write(body[: self._wire.keep])
        self._wire.cut()
        return part

    def _scope(self) -> dict[str, Any]:
        request = self._request
        path, _, query = request.raw_path.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(errors="replace"),
            "query_string": query.encode(errors="replace"),
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.raw_headers],
            "server": ("127.0.0.1", 0),
            "client": ("127.0.0.1", 0),
            "extensions": {EXTENSION: self._wire},
            "state": {},
        }

    async def _receive(self) -> dict[str, Any]:
        return {
            "type": "http.request",
            "body": await self._request.content.read(),
            "more_body": False,
        }

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message.get("headers", ())
                if name.lower() != b"content-length"
            ]
        else:
            self._body += message.get("body", b"")


@contextlib.asynccontextmanager
async def serving(app: Litestar, host: str, port: int) -> AsyncGenerator[int, None]:
    """Serve the app, lifespan included, until the block ends; yields the port (0 = any)."""
    async with app.lifespan():
        server = web.Server(
            lambda request: Exchange(app, request).run(),
            handler_cancellation=True,
            access_log=None,
            max_line_size=LONGEST_LINE,
        )
        listener = socket.create_server((host, port), backlog=1024)
        serving_on = await asyncio.get_running_loop().create_server(server, sock=listener)
        try:
            yield listener.getsockname()[1]
        finally:
            serving_on.close()
            await server.shutdown(timeout=0.2)
