"""Clients of Redis outlive their server's restart."""

import asyncio
from operator import attrgetter

import pytest
import uvloop
from redis.asyncio import Redis

from jobs.redis import command, pool
from tests.support.redis import MakeRedis


@pytest.mark.one_redis
@pytest.mark.parametrize("connected", [True, False])
async def test_a_command_is_answered_once_the_server_is_back(
    make_redis: MakeRedis, *, connected: bool
) -> None:
    """A command sent while the server is away waits for it, on an old connection and on a new."""
    server = make_redis(port=0)
    async with Redis.from_pool(pool(server.url, retries=20, patient=True)) as redis:
        if connected:
            await redis.ping()
        server.kill()
        asking = asyncio.create_task(command(redis, "PING"))
        await asyncio.sleep(0.2)  # some attempts are refused meanwhile
        await asyncio.to_thread(server.start)
        assert await asking


@pytest.mark.one_redis
def test_a_reset_connection_is_replaced(make_redis: MakeRedis) -> None:
    """Where uvloop refuses to write to a connection that was reset, another one is made."""
    server = make_redis(port=0)

    async def ask_after_reset() -> object:
        connections = pool(server.url, retries=3)
        async with Redis.from_pool(connections) as redis:
            await redis.ping()
            (connection,) = vars(connections)["_available_connections"]
            attrgetter("_writer.transport")(connection).abort()
            return await command(redis, "PING")

    assert uvloop.run(ask_after_reset())
