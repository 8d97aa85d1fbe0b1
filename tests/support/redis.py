"""What tests say about the Redis servers that they are given."""

from collections.abc import Callable

from redis.asyncio import Redis

from service.embedded.server import EmbeddedRedis

MakeRedis = Callable[..., EmbeddedRedis]
"""Starts one more server of the age under test: `aof`, `port` and options as in redis.conf, with
underscores for hyphens. It is closed after the test."""

_WATCHING = (b":pulse", b":pulse:processes", b"health:probe")


async def keys_in(redis: Redis) -> set[bytes]:
    """Return the keys that a server holds, but for those by which processes watch over it."""
    return {key for key in await redis.keys() if not key.endswith(_WATCHING)}
