"""An answer waits for what was promised, and fails where it cannot be had."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis

from jobs.config.settings import SettingsError
from jobs.ledger.ledger import Ledger
from jobs.redis import command, connect
from jobs.timing import Timing
from service.embedded.server import EmbeddedRedis
from service.front_door.durability import Promise, durability_of
from service.front_door.marking import Answer, Committer
from service.front_door.outages import Outage
from service.front_door.ringing import Ringer
from tests.support.committing import NAMESPACE, batch
from tests.support.redis import MakeRedis

WAIT_MS = 300


class NoBells:
    """Rings nothing: no portal is connected here."""

    async def ring(self, bells: object) -> None:
        """There is nothing to ring."""
        assert bells == []


@asynccontextmanager
async def promising(
    promise: Promise, url: str, wait_ms: int = WAIT_MS
) -> AsyncGenerator[Committer]:
    """Commit on one connection and confirm the promise."""
    async with AsyncExitStack() as stack:
        pooled = connect(url, retries=0)
        stack.push_async_callback(pooled.aclose)
        connection: Redis = pooled.client()
        stack.push_async_callback(connection.aclose)
        durability = await durability_of(promise, connection, wait_ms)
        ledger = Ledger(connection, NAMESPACE, Timing())
        ringer = Ringer(NoBells(), Timing())
        await stack.enter_async_context(ringer.running())
        committer = Committer(ledger, ringer, Timing(), durability=durability)
        await stack.enter_async_context(committer.running())
        yield committer


async def follow(replica: EmbeddedRedis, primary: EmbeddedRedis) -> None:
    """Make one server replicate the other, and wait until it acknowledges writes."""
    port = primary.url.rpartition(":")[2].removesuffix("/0")
    async with connect(replica.url) as redis:
        await command(redis, "REPLICAOF", "127.0.0.1", port)
    async with connect(primary.url) as pooled, pooled.client() as redis:
        await command(redis, "SET", "first", "write")
        assert await command(redis, "WAIT", 1, 30_000) == 1


async def test_replicated(make_redis: MakeRedis) -> None:
    """With a replica that follows marks are taken; with one that froze they are not confirmed."""
    primary = make_redis(port=0, repl_diskless_sync_delay="0")
    replica = make_redis()
    await follow(replica, primary)

    async with promising("replicated", primary.url, 1_500) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED
        replica.pause()
        assert await committer.commit(batch(2), 1) is Outage.UNWRITABLE
        replica.resume()
        assert await committer.commit(batch(3), 1) is Answer.MARKED


async def test_replicated_without_replica(redis_url: str) -> None:
    """Nothing is acknowledged where a replica is promised and there is none."""
    async with promising("replicated", redis_url) as committer:
        assert await committer.commit(batch(1), 1) is Outage.UNWRITABLE


async def test_synced(make_redis: MakeRedis) -> None:
    """A server that knows WAITAOF is asked; one that does not must sync before it answers."""
    server = make_redis(aof=True, appendfsync="everysec")
    if server.binary.version >= (7, 2):
        async with promising("fsync", server.url) as committer:
            assert await committer.commit(batch(1), 1) is Answer.MARKED
        return
    with pytest.raises(SettingsError, match="DURABILITY"):
        async with promising("fsync", server.url):
            pass
    always = make_redis(aof=True, appendfsync="always")
    async with promising("fsync", always.url) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED


async def test_synced_without_a_file(redis_url: str) -> None:
    """A server that keeps no append-only file cannot promise the disk: refused at the start."""
    with pytest.raises(SettingsError, match="DURABILITY"):
        async with promising("fsync", redis_url):
            pass


async def test_synced_while_redis_is_away(make_redis: MakeRedis) -> None:
    """A start while Redis is away goes on; what cannot be confirmed then is not acknowledged."""
    server = make_redis()
    server.kill()

    async with promising("fsync", server.url) as committer:
        assert await committer.commit(batch(1), 1) is Outage.UNREACHABLE
        server.start()
        assert await committer.commit(batch(1), 1) is not Answer.MARKED


async def test_memory(redis_url: str) -> None:
    """Redis' own answer is enough where nothing more is promised."""
    async with promising("memory", redis_url) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED
