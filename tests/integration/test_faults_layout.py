"""The live job with its streams on another Redis, in several partitions, without associations."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from callstream_client import keys, wire
from msgspec.structs import replace
from redis.asyncio import Redis

from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.context import open_context
from jobs.ledger.hints import Hint
from jobs.live.sweep import announce_streams
from jobs.redis import connect
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.support.desk import QUICK, Desk
from tests.support.redis import MakeRedis
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

PARTITIONS = 3
CALLS = 30


@pytest.fixture
async def streams(make_redis: MakeRedis) -> AsyncIterator[Redis]:
    """A client of the streams' own server."""
    async with connect(make_redis().url) as client:
        yield client


@pytest.fixture
async def apart(
    redis: Redis, redis_url: str, streams: Redis, simulator: Running, control: Control
) -> AsyncIterator[Desk]:
    """A worker's desk whose streams lie elsewhere."""
    portal_id = 62_515
    account = await control.open_account(portal_id)
    url = str(streams.connection_pool.connection_kwargs["path"])
    settings = Settings(
        redis_url=redis_url,
        streams_redis_url=f"unix://{url}",
        namespace="tenant-1",
        hubspot_access_token=Secret(account.token),
        hubspot_portal_id=portal_id,
        hubspot_api_url=simulator.url,
        hubspot_rate_limit=1_000_000,
        call_properties=("hs_call_title",),
        call_associations=(),
        stream_partitions=PARTITIONS,
    )
    async with open_context(settings, slots=20) as context:
        desk = Desk(context, redis, portal_id, "tenant-1")
        await desk.context.ledger.connect(portal_id)
        yield desk


async def lengths(streams: Redis) -> list[int]:
    """Return how many events each partition holds."""
    return [await streams.xlen(keys.stream("tenant-1", index)) for index in range(PARTITIONS)]


async def test_calls_are_spread_and_settled(
    apart: Desk, control: Control, streams: Redis, redis: Redis
) -> None:
    """Every call lands once on its own partition; the ledger's Redis holds no event."""
    calls = [
        await control.create({"hs_call_title": f"{n}"}, portal_id=apart.portal_id)
        for n in range(CALLS)
    ]
    for _ in range(2):
        for call_id in calls:
            await apart.mark(call_id, Hint("creation", 1))
        await apart.fetch()
    expected = [0] * PARTITIONS
    for call_id in calls:
        expected[apart.context.stream.partition_of(apart.portal_id, str(call_id))] += 1
    assert await lengths(streams) == expected
    assert [key for key in await redis.keys() if b"calls:" in key] == []
    assert await apart.context.stream.records.count(apart.portal_id) == CALLS


async def test_lost_streams_are_filled_anew(apart: Desk, control: Control, streams: Redis) -> None:
    """After the streams' Redis has lost its data, the next reads publish again, in order."""
    call_id = await control.create({"hs_call_title": "1"}, portal_id=apart.portal_id)
    await apart.fetch_marked(call_id)
    await streams.flushall()
    await apart.fetch_marked(call_id)
    assert sum(await lengths(streams)) == 1


async def test_lost_announcement_is_made_again(apart: Desk, streams: Redis) -> None:
    """New consumers find the streams after their Redis has lost its data under a running worker."""
    apart.set_timing(replace(QUICK, strangers_every_ms=5))
    await streams.flushall()
    announcing = asyncio.create_task(announce_streams(apart.context))

    async def announced() -> bool:
        return await wire.partitions(streams, "tenant-1") == PARTITIONS

    await until(announced)
    announcing.cancel()
    await asyncio.gather(announcing, return_exceptions=True)


async def test_lost_ledger_begins_a_higher_list(
    apart: Desk, control: Control, redis: Redis, streams: Redis
) -> None:
    """A list that the streams know to be outdated is replaced, and the call is read again."""
    call_id = await control.create({"hs_call_title": "1"}, portal_id=apart.portal_id)
    await apart.context.stream.records.adopt(apart.portal_id, 7)
    await apart.fetch_marked(call_id)
    assert sum(await lengths(streams)) == 0
    assert await apart.waits_ms(call_id) is not None
    await apart.fetch_marked(call_id)
    assert sum(await lengths(streams)) == 1
    projection = await apart.context.projection(apart.portal_id)
    assert projection.generation == 8
    assert await redis.zcard("tenant-1:callstream:collections") == 1
