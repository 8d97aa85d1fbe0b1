"""A simulator on a frozen clock, served on loopback, and a receiver for its notifications."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

import aiohttp
import msgspec
import pytest
from aiohttp import web

from tests.simulator.app import create_app
from tests.simulator.knobs import Knobs
from tests.simulator.settings import Settings
from tests.simulator.simulator import Simulator
from tests.simulator.wire import serving
from tests.simulator_tests.api import Api

START = 1_768_471_200_000
"""Where the frozen clock stands: 2026-01-15T10:00:00Z."""


@pytest.fixture
def simulator() -> Simulator:
    """Return a simulator on a frozen clock that searches without delay."""
    knobs = Knobs(search_delay_ms=0, rate_limit=10_000, oauth_rate_limit=10_000, search_limit=1_000)
    return Simulator(Settings(seed=7, start_ms=START, frozen=True, knobs=knobs))


@contextlib.asynccontextmanager
async def served(simulator: Simulator) -> AsyncGenerator[str, None]:
    """Serve a simulator in a task of its own, as fixtures end in another task than they begin."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serving(create_app(simulator), "127.0.0.1", 0) as number:
            port.set_result(number)
            await stop.wait()

    def ended(task: asyncio.Task[None]) -> None:
        if not port.done():
            port.set_exception(task.exception() or RuntimeError("ended"))

    task = asyncio.create_task(serve())
    task.add_done_callback(ended)
    try:
        yield f"http://127.0.0.1:{await port}"
    finally:
        stop.set()
        await task


@pytest.fixture
async def api(simulator: Simulator) -> AsyncIterator[Api]:
    """Yield a client of the served simulator, with the first account's token."""
    token = simulator.world.private_token(simulator.settings.portal_id)
    async with served(simulator) as url, aiohttp.ClientSession(url) as session:
        yield Api(url, session, token)


class Received(msgspec.Struct, frozen=True):
    """One request that came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, object]]:
        """The notifications in it."""
        return msgspec.json.decode(self.body, type=list[dict[str, object]])


class Receiver:
    """Takes notifications, and answers as it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Received] = []
        self.answer: Callable[[Received], Awaitable[int]] | None = None

    @property
    def events(self) -> list[dict[str, object]]:
        """All notifications, in the order in which they came."""
        return [event for request in self.requests for event in request.events]

    async def take(self, request: web.BaseRequest) -> web.Response:
        """Take one request."""
        received = Received(dict(request.headers), await request.read())
        self.requests.append(received)
        status = 204 if self.answer is None else await self.answer(received)
        return web.Response(status=status)


@pytest.fixture
async def receiver(simulator: Simulator) -> AsyncIterator[Receiver]:
    """Yield a receiver that the simulator's notifications go to."""
    taking = Receiver()
    server = web.Server(taking.take)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    taking.url = f"http://{host}:{port}/webhooks/hubspot?tenant=a%2Fb"
    simulator.app.target_url = taking.url
    async with simulator.running():
        yield taking
    await runner.cleanup()
