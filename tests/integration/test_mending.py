"""What is done when the ledger's Redis, or the streams' alone, lost data: by one worker."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from callstream_client.events import CallEvent, decode
from structlog.testing import capture_logs

from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.context import Context, open_context
from jobs.ledger.hints import Hint
from jobs.ledger.messages import Mark
from jobs.live.fetch import fetch_calls
from jobs.live.mending import mend_forever
from jobs.live.sweep import open_static
from jobs.reconciliation.runs import CLOCKS_APART_MS
from jobs.redis import command, connect
from jobs.stream.stream import Stream
from service.embedded.server import EmbeddedRedis
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.support.losing import tear_off
from tests.support.redis import MakeRedis
from tests.support.waiting import until

_portals = itertools.count(700_000)
HINT = Hint("propertyChange", 1, "hs_call_title")


class Deployment:
    """Two workers on two Redis, in the test's own process, that mend and otherwise do as told."""

    def __init__(
        self, ledger: EmbeddedRedis, streams: EmbeddedRedis, workers: Sequence[Context]
    ) -> None:
        self.ledger = ledger
        self.streams = streams
        self.workers = workers
        self.worker = workers[0]

    @property
    def portal_id(self) -> int:
        """The account of the settings."""
        portal_id = self.worker.settings.hubspot_portal_id
        assert portal_id is not None
        return portal_id

    async def publish(self, call_id: int) -> None:
        """Take a notification about a call to the stream."""
        await self.worker.ledger.mark([Mark(self.portal_id, str(call_id), (HINT,))])
        await self.read()

    async def read(self) -> None:
        """Read what is due until nothing is."""
        while (await self.worker.ledger.door(self.portal_id)).waiting:
            await fetch_calls(self.worker, self.portal_id, "")
            await asyncio.sleep(0.01)

    async def events(self) -> list[CallEvent]:
        """Return what is on the stream."""
        async with connect(self.streams.url) as redis:
            events = [decode(fields) for _, fields in await redis.xrange("calls:{0}")]
        return [event for event in events if isinstance(event, CallEvent)]

    async def waits_again(self, *calls: int) -> None:
        """Wait until the calls are marked."""
        async with connect(self.ledger.url) as redis:
            wanted = {str(call).encode() for call in calls}

            async def are_marked() -> bool:
                key = f"ledger:{self.portal_id}:due"
                return wanted <= set(await redis.zrange(key, 0, -1))

            await until(are_marked)

    async def asked(self) -> dict[str, object]:
        """Wait until a reconciliation is asked for, and return how."""
        standing = self.worker.reconciliations.standing

        async def is_asked() -> bool:
            return (await standing(self.portal_id)).asked is not None

        await until(is_asked)
        ask = (await standing(self.portal_id)).asked
        assert ask is not None
        return {"since": ask.since, "full": ask.full}

    async def is_mended(self, server: EmbeddedRedis, key: str) -> None:
        """Wait until a loss is said to be mended, and a while longer."""
        async with connect(server.url) as redis:

            async def mended() -> bool:
                lost = await command(redis, "HGET", key, "lost")
                return bool(lost) and lost == await command(redis, "HGET", key, "mended")

            await until(mended)
            await asyncio.sleep(4 * self.worker.timing.look_ms / 1000)  # for others to do it again
            assert await mended()


Deploy = Callable[[], Awaitable[Deployment]]


@pytest.fixture
async def deployment(
    make_redis: MakeRedis, simulator: Running, control: Control
) -> AsyncGenerator[Deployment]:
    """Two workers that have seen both Redis at least once."""
    ledger = make_redis(aof=True, appendfsync="always")
    streams = make_redis(aof=True, appendfsync="always")
    portal_id = next(_portals)
    account = await control.open_account(portal_id)
    settings = Settings(
        redis_url=ledger.url,
        streams_redis_url=streams.url,
        hubspot_access_token=Secret(account.token),
        hubspot_portal_id=portal_id,
        hubspot_api_url=simulator.url,
        hubspot_rate_limit=1_000_000,
        timing_scale=0.1,
    )
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(open_context(settings, slots=20)) for _ in range(2)
        ]
        await workers[0].ledger.connect(portal_id)
        for number, worker in enumerate(workers):
            await stack.enter_async_context(mending(worker, f"worker-{number}"))
        await until(lambda: known(ledger, "ledger:pulse"))
        await until(lambda: known(streams, "pulse:{0}"))
        yield Deployment(ledger, streams, workers)


@asynccontextmanager
async def mending(context: Context, worker: str) -> AsyncGenerator[None]:
    """Mend while inside."""
    task = asyncio.create_task(mend_forever(context, worker))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def known(server: EmbeddedRedis, key: str) -> bool:
    """Tell whether both workers have looked."""
    async with connect(server.url) as redis:
        return bool(await redis.zcard(f"{key}:processes") >= 2)


async def create(control: Control, deployment: Deployment) -> int:
    """Create a call in the account's HubSpot."""
    return await control.create({"hs_call_title": "Discovery"}, portal_id=deployment.portal_id)


async def flush(server: EmbeddedRedis) -> None:
    """Empty a server."""
    async with connect(server.url) as redis:
        await redis.flushall()


async def test_streams_flushed_alone(deployment: Deployment, control: Control) -> None:
    """What was settled of late is marked again, and comes under versions that only rise.

    One worker does it, once, and asks for a full round.
    """
    call = await create(control, deployment)
    await deployment.publish(call)
    [before] = await deployment.events()
    with capture_logs() as logs:
        await flush(deployment.streams)
        await deployment.waits_again(call)
        await deployment.is_mended(deployment.streams, "pulse:{0}")
    told = [entry for entry in logs if entry["event"] == "the streams' Redis lost data"]
    assert [(entry["calls_marked"], entry["since"]) for entry in told] == [(1, 0)]
    assert await deployment.asked() == {"since": 0, "full": True}

    await deployment.read()
    [after] = await deployment.events()

    assert after.data.call == before.data.call
    assert after.sequence > before.sequence


async def test_clock_outlives_its_server(deployment: Deployment) -> None:
    """A partition's clock goes on above what any process has seen, for processes that are new too.

    Also where the server's own time is behind.
    """
    first, second = (worker.stream for worker in deployment.workers)
    ahead = await first.ticket(0) + 3_600_000
    second.witness(0, ahead)
    await flush(deployment.streams)
    async with connect(deployment.streams.url) as redis:

        async def is_ahead() -> bool:
            return int(await redis.get("clock:{0}") or 0) >= ahead

        await until(is_ahead)
        newcomer = Stream(redis, "", deployment.worker.timing, 1)
        assert await newcomer.ticket(0) > ahead


async def test_streams_tail_lost(deployment: Deployment, control: Control) -> None:
    """A publish that the streams' file lost is made up for, and what was lost is looked for."""
    kept, lost = [await create(control, deployment) for _ in range(2)]
    await deployment.publish(kept)
    await asyncio.sleep(0.3)  # some looks
    await deployment.publish(lost)
    assert len(await deployment.events()) == 2
    deployment.streams.kill()
    tear_off(deployment.streams, f"{deployment.portal_id}:{lost}")
    deployment.streams.start()
    assert len(await deployment.events()) == 1

    await deployment.waits_again(lost)
    asked = await deployment.asked()
    await deployment.is_mended(deployment.streams, "pulse:{0}")
    await deployment.read()

    assert [event.subject for event in await deployment.events()] == [str(kept), str(lost)]
    async with connect(deployment.ledger.url) as redis:
        now = int((await redis.time())[0]) * 1_000
    assert not asked["full"]
    since = asked["since"]
    assert isinstance(since, int)
    assert now - 30_000 < since + CLOCKS_APART_MS < now + 1_000


async def test_ledger_flushed_alone(deployment: Deployment, control: Control) -> None:
    """The settings' account is opened again, as of when it was, and a full round is asked for."""
    await deployment.publish(await create(control, deployment))
    for worker in deployment.workers:
        await open_static(worker)
    before = await deployment.worker.ledger.door(deployment.portal_id)
    with capture_logs() as logs:
        await flush(deployment.ledger)
        assert await deployment.asked() == {"since": 0, "full": True}
        await deployment.is_mended(deployment.ledger, "ledger:pulse")

    door = await deployment.worker.ledger.door(deployment.portal_id)
    assert door.open
    assert door.connected_at == before.connected_at
    told = [entry["event"] for entry in logs if entry["event"].endswith("lost data")]
    assert told == ["the ledger's Redis lost data"]


async def test_restart_with_data(deployment: Deployment, control: Control) -> None:
    """Servers that come back with their data have lost nothing: one line of each worker tells."""
    await deployment.publish(await create(control, deployment))
    with capture_logs() as logs:
        for server, key in ((deployment.ledger, "ledger"), (deployment.streams, "streams")):
            server.kill()
            await asyncio.sleep(0.5)
            server.start()

            async def is_back(key: str = key) -> bool:
                return {"Redis answers again", key} <= {
                    word for entry in logs for word in (entry["event"], entry.get("server"))
                }

            await until(is_back)
        await deployment.publish(await create(control, deployment))
        await asyncio.sleep(0.5)
    async with connect(deployment.ledger.url) as redis:
        assert await command(redis, "HGET", "ledger:pulse", "lost") is None
    async with connect(deployment.streams.url) as redis:
        assert await command(redis, "HGET", "pulse:{0}", "lost") is None
    told = [entry["event"] for entry in logs if entry.get("server") == "ledger"]
    assert sorted(told) == 2 * ["Redis answers again"] + 2 * ["Redis does not answer"]
