"""A reader handles every event, in order and, as far as it remembers, once."""

import asyncio

import pytest
from callstream_client import keys
from callstream_client.reader import Reader, ReaderOptions
from callstream_client.wire import Delivery
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.redis import command, connect
from tests.support.redis import MakeRedis
from tests.support.streams import Handled, add, announce, entry, put, running, shown

STREAM = keys.stream("", 0)
QUICK = ReaderOptions(block_ms=50, claim_idle_ms=50, claim_every_ms=20)


async def pending(redis: Redis, group: str = "crm") -> int:
    """Return how many entries wait for an acknowledgement."""
    (row,) = await redis.xinfo_groups(STREAM)
    assert row["name"] == group.encode()
    return int(row["pending"])


async def settled(redis: Redis) -> None:
    """Wait until everything that was delivered is acknowledged."""
    async with asyncio.timeout(10):
        while await pending(redis):  # noqa: ASYNC110 - it is Redis that tells
            await asyncio.sleep(0.005)


async def test_reads_all(redis: Redis) -> None:
    """Events from before and after the start come in order, are acknowledged, and counted."""
    await announce(redis)
    for version in (1, 2, 3):
        await add(redis, "512", version)
    reader = Reader(redis, "crm", "crm-0", QUICK)
    async with running(reader) as handled:
        assert await handled.next(3) == ["512:1", "512:2", "512:3"]
        await add(redis, "513", 9)
        assert await handled.next(1) == ["513:9"]
        await settled(redis)
    assert (reader.counts.handled, reader.counts.repeated) == (4, 0)


async def test_partitions_and_namespace(redis: Redis, namespace: str) -> None:
    """All partitions of the namespace are read, those announced later as well."""
    await announce(redis, 2, namespace)
    await add(redis, "1", 1, 0, namespace)
    await add(redis, "2", 1, 1, namespace)
    options = ReaderOptions(namespace=namespace, block_ms=50, claim_every_ms=20)
    async with running(Reader(redis, "crm", "crm-0", options)) as handled:
        assert sorted(await handled.next(2)) == ["1:1", "2:1"]
        await announce(redis, 3, namespace)
        await add(redis, "3", 1, 2, namespace)
        assert await handled.next(1) == ["3:1"]


async def test_before_the_publisher(redis: Redis) -> None:
    """A reader that starts before any publisher waits for its streams."""
    async with running(Reader(redis, "crm", "crm-0", QUICK)) as handled:
        await announce(redis)
        await add(redis, "512", 1)
        assert await handled.next(1) == ["512:1"]


async def test_starts_with_the_next_event(redis: Redis) -> None:
    """A new group may begin with the next event, a known one goes on where it was."""
    await announce(redis)
    await add(redis, "512", 1)
    options = ReaderOptions(start="$", block_ms=50)
    async with running(Reader(redis, "crm", "crm-0", options)) as handled:
        async with asyncio.timeout(10):
            while not await redis.xinfo_groups(STREAM):  # noqa: ASYNC110 - it is Redis that tells
                await asyncio.sleep(0.005)
        await add(redis, "512", 2)
        assert await handled.next(1) == ["512:2"]
    await add(redis, "512", 3)
    async with running(Reader(redis, "crm", "crm-0", options)) as handled:
        assert await handled.next(1) == ["512:3"]


async def test_failed_handler(redis: Redis) -> None:
    """What a handler fails at ends the reader, stays pending, and comes first the next time."""
    await announce(redis)
    for version in (1, 2, 3):
        await add(redis, "512", version)
    taken: list[str] = []

    async def fail_at_the_second(delivery: Delivery) -> None:
        taken.append(shown(delivery))
        if len(taken) == 2:
            msg = "the consumer's own store is away"
            raise ConnectionError(msg)

    with pytest.raises(ConnectionError, match="own store"):
        await Reader(redis, "crm", "crm-0", QUICK).run(fail_at_the_second)
    assert await pending(redis) == 2
    await add(redis, "512", 4)
    async with running(Reader(redis, "crm", "crm-0", QUICK)) as handled:
        assert await handled.next(3) == ["512:2", "512:3", "512:4"]
        await settled(redis)


async def test_stop(redis: Redis) -> None:
    """A stopped reader finishes the event in hand; the rest of its batch stays pending for it."""
    await announce(redis)
    for version in (1, 2, 3):
        await add(redis, "512", version)
    reader = Reader(redis, "crm", "crm-0", QUICK)

    async def stop(delivery: Delivery) -> None:
        del delivery
        reader.stop()

    await reader.run(stop)
    assert (reader.counts.handled, await pending(redis)) == (1, 2)


async def test_takes_over(redis: Redis) -> None:
    """What another consumer has left lying for too long is taken over."""
    await announce(redis)
    await add(redis, "512", 1)
    await redis.xgroup_create(STREAM, "crm", "0")
    await redis.xreadgroup("crm", "dead-pod", {STREAM: ">"})
    reader = Reader(redis, "crm", "crm-0", QUICK)
    async with running(reader) as handled:
        assert await handled.next(1) == ["512:1"]
        await settled(redis)
    assert reader.counts.claimed == 1


async def test_leaves_others_alone(redis: Redis) -> None:
    """What another consumer was just given stays with it."""
    await announce(redis)
    await add(redis, "512", 1)
    await redis.xgroup_create(STREAM, "crm", "0")
    await redis.xreadgroup("crm", "busy-pod", {STREAM: ">"})
    options = ReaderOptions(block_ms=20, claim_every_ms=5, claim_idle_ms=60_000)
    reader = Reader(redis, "crm", "crm-0", options)
    async with running(reader) as handled:
        await add(redis, "513", 1)
        await add(redis, "514", 1)
        assert await handled.next(2) == ["513:1", "514:1"]
    assert (reader.counts.claimed, await pending(redis)) == (0, 1)


@pytest.mark.parametrize("owner", ["crm-0", "dead-pod"])
async def test_trimmed_while_pending(redis: Redis, owner: str) -> None:
    """Entries that were trimmed before they were handled do not stay pending for ever."""
    await announce(redis)
    await add(redis, "512", 1)
    await redis.xgroup_create(STREAM, "crm", "0")
    await redis.xreadgroup("crm", owner, {STREAM: ">"})
    await redis.xtrim(STREAM, maxlen=0, approximate=False)
    await asyncio.sleep(QUICK.claim_idle_ms / 1_000)
    reader = Reader(redis, "crm", "crm-0", QUICK)
    async with running(reader) as handled:
        await add(redis, "512", 2)
        assert await handled.next(1) == ["512:2"]
        await settled(redis)
    assert reader.counts.handled == 1


async def test_unknown_entry(redis: Redis) -> None:
    """An entry of another release, or a broken one, is passed over and acknowledged."""
    await announce(redis)
    await put(redis, STREAM, {**entry("512", 1), "dataschema": "urn:later"})
    await put(redis, STREAM, {"hello": "world"})
    await add(redis, "512", 2)
    reader = Reader(redis, "crm", "crm-0", QUICK)
    async with running(reader) as handled:
        assert await handled.next(1) == ["512:2"]
        await settled(redis)
    assert reader.counts.unknown == 2


async def test_repeated(redis: Redis) -> None:
    """An event that comes again, or after a newer one of its call, is passed over."""
    await announce(redis)
    for version in (2, 2, 1, 3):
        await add(redis, "512", version)
    reader = Reader(redis, "crm", "crm-0", QUICK)
    async with running(reader) as handled:
        assert await handled.next(2) == ["512:2", "512:3"]
        await settled(redis)
    assert reader.counts.repeated == 2


async def test_group_gone(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    """A group that is gone is made again at a known place: nothing is missed, nothing doubled."""
    await announce(redis)
    await add(redis, "512", 1)
    reader = Reader(redis, "crm", "crm-0", QUICK)
    async with running(reader) as handled:
        assert await handled.next(1) == ["512:1"]
        await settled(redis)
        await redis.xgroup_destroy(STREAM, "crm")
        await add(redis, "512", 2)
        await add(redis, "512", 3)
        assert await handled.next(2) == ["512:2", "512:3"]
        assert handled.empty()
    assert reader.counts.regrouped >= 1
    assert 1 <= caplog.text.count("is gone") <= reader.counts.regrouped


async def test_group_gone_with_others_pending(redis: Redis) -> None:
    """A group is made again below what other consumers had not acknowledged."""
    await announce(redis)
    await add(redis, "511", 1)
    await redis.xgroup_create(STREAM, "crm", "0")
    await redis.xreadgroup("crm", "busy-pod", {STREAM: ">"})
    await add(redis, "512", 1)
    options = ReaderOptions(block_ms=20, claim_every_ms=5, claim_idle_ms=60_000)
    async with running(Reader(redis, "crm", "crm-0", options)) as handled:
        assert await handled.next(1) == ["512:1"]
        await redis.xgroup_destroy(STREAM, "crm")
        assert await handled.next(1) == ["511:1"]


async def test_data_lost(redis: Redis) -> None:
    """After Redis lost everything the reader goes on with what is published from then on."""
    await announce(redis)
    await add(redis, "512", 1)
    async with running(Reader(redis, "crm", "crm-0", QUICK)) as handled:
        assert await handled.next(1) == ["512:1"]
        await redis.flushall()
        await announce(redis)
        await add(redis, "512", 2)
        assert await handled.next(1) == ["512:2"]


async def test_refused(redis: Redis) -> None:
    """What trying again cannot mend, such as a key of another type, ends the reader."""
    await announce(redis)
    await command(redis, "SET", STREAM, "no stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await Reader(redis, "crm", "crm-0", QUICK).run(Handled())


async def test_restart(make_redis: MakeRedis) -> None:
    """A Redis that is killed and comes back with its data costs no event."""
    server = make_redis(aof=True, appendfsync="always")
    redis, publisher = connect(server.url, retries=0), connect(server.url)
    await announce(publisher)
    await add(publisher, "512", 1)
    reader = Reader(redis, "crm", "crm-0", QUICK)
    async with running(reader) as handled:
        assert await handled.next(1) == ["512:1"]
        await asyncio.to_thread(server.restart)
        await add(publisher, "512", 2)
        assert await handled.next(1) == ["512:2"]
        assert handled.empty()
    await redis.aclose()
    await publisher.aclose()


async def test_frozen(make_redis: MakeRedis) -> None:
    """A Redis that stops answering is asked again until it answers."""
    server = make_redis()
    redis, publisher = connect(server.url, timeout_s=0.2, retries=0), connect(server.url)
    await announce(publisher)
    reader = Reader(redis, "crm", "crm-0", QUICK)
    async with running(reader) as handled:
        await add(publisher, "512", 1)
        assert await handled.next(1) == ["512:1"]
        server.pause()
        await asyncio.sleep(0.5)
        server.resume()
        await add(publisher, "512", 2)
        assert await handled.next(1) == ["512:2"]
    await redis.aclose()
    await publisher.aclose()


async def test_decoded_answers(redis: Redis, redis_url: str) -> None:
    """A client that decodes answers by itself reads the same events."""
    await announce(redis)
    await add(redis, "512", 1)
    decoding: Redis = Redis.from_url(redis_url, decode_responses=True)
    async with running(Reader(decoding, "crm", "crm-0", QUICK)) as handled:
        assert await handled.next(1) == ["512:1"]
    await decoding.aclose()
