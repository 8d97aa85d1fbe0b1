"""A TCP balancer: HubSpot knows one address, and any service that lives may answer there."""

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self

_CONNECT_WITHIN_S: Final = 1.0
_CHUNK: Final = 65_536


class Balancer:
    """Hands each connection to the next backend that takes it; a context manager."""

    def __init__(self) -> None:
        self.backends: list[int] = []
        """Ports on 127.0.0.1, in turn; may be changed at any time."""
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def origin(self) -> str:
        """Where it listens, as a URL without a path."""
        if self._server is None:
            msg = "the balancer has not been entered"
            raise RuntimeError(msg)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

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

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways until either side is done."""
        other: asyncio.StreamWriter | None = None
        try:
            backend = await self._dial()
            if backend is None:
                return
            there, other = backend
            ways = [
                asyncio.create_task(_carry(reader, other)),
                asyncio.create_task(_carry(there, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            writer.close()
            if other is not None:
                other.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Connect to the next backend that answers; None if none does."""
        for _ in range(len(self.backends)):
            self._turn = (self._turn + 1) % len(self.backends)
            port = self.backends[self._turn]
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_WITHIN_S):
                    return await asyncio.open_connection("127.0.0.1", port)
        return None


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
