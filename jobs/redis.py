"""Makes Redis clients that outlive a restart of their server."""

import asyncio
from collections.abc import Iterable
from typing import cast

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

TRANSIENT = (RedisConnectionError, RedisTimeoutError, OSError)
"""What a Redis client raises while its server is away."""


class _Prompt(AbstractConnection):
    """A connection that keeps cancellations, and whose failures are Redis' own errors.

    redis-py sends with `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that
    comes at the moment when sending is done: a task told to stop would run on for ever.
    """

    async def send_packed_command(
        self,
        command: bytes | str | Iterable[bytes],
        check_health: bool = True,  # noqa: FBT001, FBT002 - redis-py's signature
    ) -> None:
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            if "closed" not in str(error):
                raise
            # uvloop's word for a connection that was reset before we wrote to it.
            await self.disconnect(nowait=True)
            msg = "the connection was reset"
            raise RedisConnectionError(msg) from error
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)
            raise asyncio.CancelledError


def _prompt(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    return type(f"Prompt{kind.__name__}", (_Prompt, kind), {})


def pool(
    url: str, *, timeout_s: float = 5.0, retries: int = 3, patient: bool = False
) -> ConnectionPool:
    """Return a connection pool for the Redis at `url`; nothing is sent before the first command.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        timeout_s: how long connecting, and each answer, may take.
        retries: how often a command is tried again when the connection fails.
        patient: wait for a server that refuses connections, too, as while it restarts: that is
            tried as often again for each attempt of the command.
    """
    connections: ConnectionPool = ConnectionPool.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.02), retries),
        # A new connection that is refused raises OSError inside of the retry.
        retry_on_error=[RedisConnectionError, OSError] if patient else [RedisConnectionError],
    )
    connections.connection_class = _prompt(connections.connection_class)
    return connections


def connect(url: str, *, timeout_s: float = 5.0, retries: int = 3) -> Redis:
    """Return a client of the Redis at `url`, with its own pool; see `pool` for the arguments."""
    return Redis.from_pool(pool(url, timeout_s=timeout_s, retries=retries))


async def command(redis: Redis, *words: bytes | str | float) -> object:
    """Run one command and return Redis' answer untyped, to be narrowed by the caller."""
    return cast("object", await redis.execute_command(*words))
