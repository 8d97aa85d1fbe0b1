"""Following the streams shows every event and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from callstream_client.follow import follow
from callstream_client.wire import Delivery
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.redis import command, connect
from tests.support.redis import MakeRedis
from tests.support.streams import add, announce, shown


async def take(deliveries: AsyncIterator[Delivery], count: int) -> list[str]:
    """Return the next events as `call:version`."""
    async with asyncio.timeout(10):
        return [shown(await anext(deliveries)) for _ in range(count)]


async def test_from_the_oldest(redis: Redis) -> None:
    """From `0` on every event kept is shown, then what comes, and Redis keeps no group."""
    await announce(redis)
    await add(redis, "512", 1)
    async with aclosing(follow(redis, since="0", block_ms=50)) as deliveries:
        assert await take(deliveries, 1) == ["512:1"]
        await add(redis, "512", 2)
        assert await take(deliveries, 1) == ["512:2"]
    assert await redis.xinfo_groups("calls:{0}") == []


async def test_from_now(redis: Redis) -> None:
    """From now on only what comes is shown, of partitions announced later everything."""
    await announce(redis)
    await add(redis, "512", 1)
    async with aclosing(follow(redis, block_ms=50)) as deliveries:
        first = asyncio.ensure_future(take(deliveries, 1))
        while not await reading(redis):  # noqa: ASYNC110 - it is Redis that tells
            await asyncio.sleep(0.005)
        await add(redis, "512", 2)
        assert await first == ["512:2"]


async def test_before_the_publisher(redis: Redis) -> None:
    """Whoever follows before the streams exist sees their first event."""
    async with aclosing(follow(redis, block_ms=20)) as deliveries:
        first = asyncio.ensure_future(take(deliveries, 1))
        await asyncio.sleep(0.03)
        await add(redis, "512", 1)
        await announce(redis)
        assert await first == ["512:1"]


async def test_from_an_entry(redis: Redis, namespace: str) -> None:
    """From an entry on what came after it is shown, in the namespace and no other."""
    await announce(redis, 1, namespace)
    since = await add(redis, "512", 1, 0, namespace)
    await add(redis, "512", 2, 0, namespace)
    async with aclosing(follow(redis, namespace=namespace, since=since)) as deliveries:
        assert await take(deliveries, 1) == ["512:2"]


async def test_all_partitions(redis: Redis) -> None:
    """All partitions are followed."""
    await announce(redis, 3)
    for partition in range(3):
        await add(redis, str(partition), 1, partition)
    async with aclosing(follow(redis, since="0")) as deliveries:
        assert sorted(await take(deliveries, 3)) == ["0:1", "1:1", "2:1"]


async def test_refused(redis: Redis) -> None:
    """What trying again cannot mend raises."""
    await announce(redis)
    await command(redis, "SET", "calls:{0}", "no stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await anext(follow(redis, since="0"))


async def test_restart(make_redis: MakeRedis, caplog: pytest.LogCaptureFixture) -> None:
    """While Redis is away it is asked again, said once, and nothing is missed."""
    server = make_redis(aof=True, appendfsync="always")
    redis, publisher = connect(server.url, retries=0), connect(server.url)
    await announce(publisher)
    await add(publisher, "512", 1)
    async with aclosing(follow(redis, since="0", block_ms=50)) as deliveries:
        assert await take(deliveries, 1) == ["512:1"]
        await asyncio.to_thread(server.kill)
        following = asyncio.ensure_future(take(deliveries, 1))
        while "does not answer" not in caplog.text:  # noqa: ASYNC110 - it is the log that tells
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(server.start)
        await add(publisher, "512", 2)
        assert await following == ["512:2"]
    assert caplog.text.count("does not answer") == 1
    await redis.aclose()
    await publisher.aclose()


async def reading(redis: Redis) -> bool:
    """Return True while somebody blocks in a read."""
    info = await redis.info("clients")
    return int(info["blocked_clients"]) > 0
