"""A TCP proxy between two parts, which can hold bytes back, stall, cut, reset or refuse."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

_CHUNK: Final = 65_536
_LINGER_NOT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing sends RST."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """Carries connections to one target, and counts what it does to them; a context manager."""

    def __init__(self, name: str, target: str = "") -> None:
        """Carry to `target`: a URL (`http://`, `redis://`) or a Redis' `unix://` one."""
        self.name = name
        self.target = target
        """May be changed at any time; connections there are stay where they are."""
        self.delay_ms = 0
        """Every piece arrives this much later."""
        self.refusing = False
        """New connections are closed at once."""
        self.delayed = 0
        """Pieces that were held back."""
        self.stalled = 0
        """Pieces that met a stalled link."""
        self.cut_count = 0
        """Connections that were closed in good order, under way."""
        self.reset_count = 0
        """Connections that were reset."""
        self.refused = 0
        """Connections that were not carried on."""
        self._flows = asyncio.Event()
        self._flows.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        if self._server is None:
            msg = f"the link {self.name} has not been entered"
            raise RuntimeError(msg)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Listen on any free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def stall(self) -> None:
        """Keep connections open, take new ones, and carry nothing until `heal`."""
        self._flows.clear()

    def cut(self) -> int:
        """Close all connections in good order; return how many."""
        return self._drop(abruptly=False)

    def reset(self) -> int:
        """Reset all connections (RST); return how many."""
        return self._drop(abruptly=True)

    def heal(self) -> None:
        """Carry as if nothing had been."""
        self.delay_ms = 0
        self.refusing = False
        self._flows.set()

    def _drop(self, *, abruptly: bool) -> int:
        dropped = 0
        for writer in list(self._open):
            own: socket.socket | None = writer.get_extra_info("socket")
            if abruptly and own is not None and own.family != socket.AF_UNIX:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            writer.transport.abort() if abruptly else writer.close()
            dropped += 1
        dropped //= 2  # each connection has two ends
        if abruptly:
            self.reset_count += dropped
        else:
            self.cut_count += dropped
        return dropped

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways until either side is done."""
        ends = [writer]
        try:
            there = None if self.refusing else await self._dial()
            if there is None:
                self.refused += 1
                return
            ends.append(there[1])
            self._open.update(ends)
            ways = [
                asyncio.create_task(self._carry(reader, there[1])),
                asyncio.create_task(self._carry(there[0], writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._open.difference_update(ends)
            for end in ends:
                end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one way; what was read first arrives first, whatever it waits for."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if not self._flows.is_set():
                    self.stalled += 1
                    await self._flows.wait()
                if self.delay_ms:
                    self.delayed += 1
                    await asyncio.sleep(self.delay_ms / 1000)
                if writer.transport.is_closing() or loop.is_closed():
                    return
                writer.write(data)
                await writer.drain()

    async def _dial(self) -> Streams | None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                return await _connect(self.target)
        return None


def _connect(target: str) -> Awaitable[Streams]:
    """Connect to where a URL points."""
    parts = urlsplit(target)
    if parts.scheme == "unix":
        return asyncio.open_unix_connection(parts.path)
    return asyncio.open_connection(parts.hostname, parts.port)
