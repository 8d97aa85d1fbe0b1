"""What the front door acknowledged comes back after Redis has lost it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
from structlog.testing import capture_logs

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.ledger import Ledger, pulse_of
from jobs.ledger.messages import Done
from jobs.queue import Doorbells, connect_queue
from jobs.redis import command, connect
from jobs.timing import Timing
from service.embedded.server import EmbeddedRedis
from service.front_door.memory import Memory, Told
from service.front_door.remarking import Remarking
from service.front_door.ringing import Ringer
from tests.support.committing import NAMESPACE, PORTAL, batch, marked
from tests.support.losing import follow, is_marked, tear_off
from tests.support.redis import MakeRedis
from tests.support.relay import Relay
from tests.support.waiting import until

QUICK = Timing(look_ms=50, quiet_ms=0, pace_ms=0)
LETTER = DeadLetter(reason="malformed-notification", error="none", raw=b"{}")


@asynccontextmanager
async def marking(url: str, timing: Timing = QUICK) -> AsyncGenerator[Remarking]:
    """Mark as one service process does."""
    async with AsyncExitStack() as stack:
        redis = connect(url)
        stack.push_async_callback(redis.aclose)
        queue = connect_queue(url, NAMESPACE, "live")
        stack.push_async_callback(queue.aclose, close_connection_pool=True)
        ringer = Ringer(Doorbells(queue, NAMESPACE), timing)
        await stack.enter_async_context(ringer.running())
        pulse = pulse_of(redis, NAMESPACE, timing)
        ledger = Ledger(redis, NAMESPACE, timing, pulse=pulse)
        marks = Remarking(ledger, ledger, pulse, ringer, timing)
        await stack.enter_async_context(marks.running())
        yield marks


async def mark(marks: Remarking, *calls: int) -> None:
    """Take one notification about each call in, one commit after the other."""
    for call in calls:
        await marks.mark(batch(call).marks)


async def has(server: EmbeddedRedis, calls: set[int]) -> None:
    """Wait until the ledger takes all of the calls for changed."""
    async with connect(server.url) as redis:
        await until(lambda: is_marked(redis, NAMESPACE, PORTAL, calls))


async def test_flushed(make_redis: MakeRedis) -> None:
    """After FLUSHALL all that was acknowledged lately is marked again, dead letters too.

    Nobody need send anything for it.
    """
    server = make_redis()
    async with connect(server.url) as redis, marking(server.url) as marks:
        await mark(marks, 1, 2)
        await marks.mark(batch(3).marks, [LETTER])
        await redis.flushall()

        await has(server, {1, 2, 3})
        assert await redis.xlen(f"{NAMESPACE}:calls:dead") == 1


async def test_lost_twice(make_redis: MakeRedis) -> None:
    """What was marked again is remembered anew, and comes back from a second loss."""
    server = make_redis()
    async with connect(server.url) as redis, marking(server.url) as marks:
        await mark(marks, 1)
        await redis.flushall()
        await has(server, {1})
        await redis.flushall()

        await has(server, {1})


async def test_restarted_without_data(make_redis: MakeRedis) -> None:
    """A server that comes back empty after longer than marks are remembered is told again."""
    server = make_redis()
    timing = msgspec.structs.replace(QUICK, remembered_ms=300)
    async with marking(server.url, timing) as marks:
        await mark(marks, 1, 2)
        server.kill()
        with capture_logs() as logs:
            await asyncio.sleep(1.0)  # an outage that is longer than the memory
            server.start()
            await has(server, {1, 2})
            await until(lambda: said(logs, "Redis answers again"))
    told = [entry["event"] for entry in logs if entry.get("server") == "ledger"]
    assert told == ["Redis does not answer", "Redis answers again"]


async def test_torn_file(make_redis: MakeRedis) -> None:
    """What an append-only file lost at its end comes back, though others went far beyond it."""
    server = make_redis(aof=True, appendfsync="always")
    async with marking(server.url) as marks, marking(server.url) as others:
        await mark(others, 100)
        await mark(marks, 1, 2, 3, 4, 5)
        await settled(server, {1, 2, 100})
        await mark(marks, 777_777, 7)
        server.kill()
        tear_off(server, "777777")
        server.start()
        await mark(others, *range(101, 140))

        await has(server, {777_777, 7})


async def test_promoted_replica(make_redis: MakeRedis) -> None:
    """What a replica had not got when it became the primary comes back."""
    primary, replica = make_redis(port=0, repl_diskless_sync_delay="0"), make_redis(port=0)
    relay = Relay(port_of(primary))
    async with relay.running(), marking(relay.url) as marks:
        await mark(marks, 1)
        await follow(replica, primary)
        async with connect(replica.url) as redis:
            await command(redis, "REPLICAOF", "NO", "ONE")
            await mark(marks, 2, 3)
            assert await marked(redis) == {1}
        relay.lead_to(port_of(replica))
        primary.kill()

        await has(replica, {1, 2, 3})


async def test_harmless_restart(make_redis: MakeRedis) -> None:
    """A server that comes back with its data is told nothing again."""
    server = make_redis(aof=True, appendfsync="always")
    async with marking(server.url) as marks:
        await mark(marks, 1, 2)
        await settled(server, {1, 2})
        with capture_logs() as logs:
            server.restart()
            await mark(marks, 3)
            await looked(server)

        async with connect(server.url) as redis:
            assert await marked(redis) == {3}
        assert "Redis lost data: marking again" not in {entry["event"] for entry in logs}


async def test_failed_commit(make_redis: MakeRedis) -> None:
    """A commit of unknown fate may stand in for a lost one: what is remembered is made again.

    It is made again once, and no loss is reported.
    """
    server = make_redis(aof=True, appendfsync="always")
    async with marking(server.url) as marks:
        await mark(marks, 1)
        await settled(server, {1})
        server.pause()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await mark(marks, 2)
        server.kill()
        server.start()

        await has(server, {1})
        await settled(server, {1})
        await looked(server)
        async with connect(server.url) as redis:
            assert await marked(redis) == set()
            assert not await command(redis, "HEXISTS", f"{NAMESPACE}:ledger:pulse", "lost")


async def test_what_redis_has_kept_for_long_is_forgotten(make_redis: MakeRedis) -> None:
    """Memory holds what Redis was not seen to keep for the time set, and no more."""
    server = make_redis()
    timing = msgspec.structs.replace(QUICK, remembered_ms=100)
    async with marking(server.url, timing) as marks:
        await mark(marks, 1, 2)
        assert len(marks.memory) == 2

        async def is_forgotten() -> bool:
            return not len(marks.memory)

        await until(is_forgotten)


def test_memory_is_bounded() -> None:
    """Beyond its bound the oldest commits are forgotten, and counted."""
    memory = Memory(10, most_bytes=100)
    for number in range(5):
        memory.keep(Told(number, b"x" * 30, [b"y" * 10]))

    assert [told.at for told in memory.take()] == [3, 4]
    assert memory.forgotten == 3


async def looked(server: EmbeddedRedis) -> None:
    """Wait until every process has looked twice more."""
    async with connect(server.url) as redis:
        key = f"{NAMESPACE}:ledger:pulse:processes"

        async def latest() -> list[float]:
            return [at for _, at in await redis.zrange(key, 0, -1, withscores=True)]

        for _ in range(2):
            before = await latest()

            async def moved(before: list[float] = before) -> bool:
                now = await latest()
                return len(now) >= len(before) and min(now, default=0) > max(before, default=0)

            await until(moved)


def port_of(server: EmbeddedRedis) -> int:
    """Return the port that it listens on."""
    return int(server.url.rpartition(":")[2].removesuffix("/0"))


async def said(logs: Sequence[Mapping[str, object]], event: str) -> bool:
    """Tell whether it was logged."""
    return any(entry["event"] == event for entry in logs)


async def settled(server: EmbeddedRedis, calls: set[int]) -> None:
    """Read and settle what is due."""
    async with connect(server.url) as redis:
        ledger = Ledger(redis, NAMESPACE, QUICK)
        await ledger.connect(PORTAL)
        claim = await ledger.claim(PORTAL)
        verdicts = [Done(call.call_id) for call in claim.calls]
        assert calls <= {int(call.call_id) for call in claim.calls}
        await ledger.settle(PORTAL, claim.token, verdicts)
