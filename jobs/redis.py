"""Makes Redis clients that outlive a restart of their server."""

from typing import cast

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

TRANSIENT = (RedisConnectionError, RedisTimeoutError, OSError)
"""What a Redis client raises while its server is away."""


def pool(url: str, *, timeout_s: float = 5.0, retries: int = 3) -> ConnectionPool:
    """Return a connection pool for the Redis at `url`; nothing is sent before the first command.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout_s: how long connecting, and each answer, may take.
        retries: how often a command is tried again when the connection fails.
    """
    connections: ConnectionPool = ConnectionPool.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.02), retries),
        # OSError: a new connection that is refused raises it inside of the retry.
        retry_on_error=[RedisConnectionError, OSError],
    )
    return connections


def connect(url: str, *, timeout_s: float = 5.0, retries: int = 3) -> Redis:
    """Return a client of the Redis at `url`, with its own pool; see `pool` for the arguments."""
    return Redis.from_pool(pool(url, timeout_s=timeout_s, retries=retries))


async def command(redis: Redis, *words: bytes | str | float) -> object:
    """Run one command and return Redis' answer untyped, to be narrowed by the caller."""
    return cast("object", await redis.execute_command(*words))
