"""Redis clients keep what their tasks are told."""

import asyncio

import pytest
from redis.asyncio import Redis

pytestmark = pytest.mark.one_redis


async def test_cancelled_task_ends_whenever_it_is_told(redis: Redis) -> None:
    """A task that only asks Redis ends on its first cancellation, wherever that meets it."""

    async def ask_forever() -> None:
        while True:
            await redis.set("key", "value")

    for turns in range(300):
        task = asyncio.create_task(ask_forever())
        for _ in range(turns % 30):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(1):
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
