"""A relay in front of a Redis, whose connections can be made to swallow everything."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Relay:
    """Carries bytes both ways, as long as it was not told to swallow them."""

    def __init__(self, path: str | int) -> None:
        """Carry to the unix socket at `path`, or to a port of loopback."""
        self._path = path
        self._swallowing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    def lead_to(self, path: str | int) -> None:
        """Carry what connects from now on to another server."""
        self._path = path

    def swallow(self) -> None:
        """Let the connections there are stay open and carry nothing more; new ones are well."""
        self._swallowing.set()
        self._swallowing = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Listen on a free port of loopback while inside."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        swallowing = self._swallowing
        try:
            there_reader, there_writer = await self._connect()
        except OSError:
            writer.close()
            return
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(_pump(source, sink, swallowing))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._path, int):
            return await asyncio.open_connection("127.0.0.1", self._path)
        return await asyncio.open_unix_connection(self._path)


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, swallowing: asyncio.Event
) -> None:
    """Carry until the source ends; what is swallowed is read and goes nowhere."""
    with contextlib.suppress(OSError):
        try:
            while data := await source.read(65_536):
                if not swallowing.is_set():
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()
