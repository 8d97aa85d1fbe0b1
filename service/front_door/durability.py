"""What a `204` waits for once Redis has the marks: `DURABILITY`.

WAIT and WAITAOF speak of the writes of the connection that they are sent on. So they need a client
of one connection that does not silently become another between the write and the question: no
retries, and no other user.
"""

import asyncio
from typing import Literal, Protocol

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from jobs.config.settings import SettingsError
from jobs.redis import command

Promise = Literal["memory", "replicated", "fsync"]

_ASK_TIMEOUT_S = 2.0


class Durability(Protocol):
    """What an answer waits for once Redis has the marks."""

    async def confirm(self) -> bool:
        """Whether the connection's last write is as safe as was promised."""
        ...


class Replicated:
    """Waits for one replica to have the write."""

    def __init__(self, connection: Redis, wait_ms: int) -> None:
        """Ask on `connection`, which made the write, for at most `wait_ms`."""
        self._connection = connection
        self._wait_ms = wait_ms

    async def confirm(self) -> bool:
        """Whether a replica has the connection's last write."""
        replicas = await command(self._connection, "WAIT", 1, self._wait_ms)
        return msgspec.convert(replicas, int) >= 1


class Synced:
    """Waits for the write to be on the server's disk."""

    def __init__(self, connection: Redis, wait_ms: int) -> None:
        """Ask on `connection`, which made the write, for at most `wait_ms`."""
        self._connection = connection
        self._wait_ms = wait_ms

    async def confirm(self) -> bool:
        """Whether the connection's last write is on disk."""
        synced = await command(self._connection, "WAITAOF", 1, 0, self._wait_ms)
        local, _replicas = msgspec.convert(synced, tuple[int, int])
        return local >= 1


async def durability_of(promise: Promise, connection: Redis, wait_ms: int) -> Durability | None:
    """Return what answers must wait for, None if nothing beyond Redis' own answer.

    Raises:
        SettingsError: `fsync` is promised and the server can neither be asked nor always syncs.
    """
    match promise:
        case "memory":
            return None
        case "replicated":
            return Replicated(connection, wait_ms)
        case "fsync":
            always = await _syncs_before_it_answers(connection)
            return None if always else Synced(connection, wait_ms)


async def _syncs_before_it_answers(connection: Redis) -> bool:
    """Whether the server has no WAITAOF and runs `appendfsync always`; False if it has it.

    A server that is away is taken to have it: should it not, no delivery will be acknowledged.
    """
    try:
        async with asyncio.timeout(_ASK_TIMEOUT_S):
            try:
                await command(connection, "WAITAOF", 1, 0, 1)
            except ResponseError as error:
                if await _settings(connection) == {"appendonly": "yes", "appendfsync": "always"}:
                    return True
                problem = f"DURABILITY: fsync is not what this Redis can promise: {error}"
                raise SettingsError([problem]) from error
    except (RedisError, OSError, TimeoutError):
        pass
    return False


async def _settings(connection: Redis) -> dict[str, str]:
    """Return how the server persists, as far as it tells."""
    found: dict[str, str] = {}
    for name in ("appendonly", "appendfsync"):
        try:
            answer = await command(connection, "CONFIG", "GET", name)
        except ResponseError:  # managed servers know no CONFIG
            continue
        found[name] = msgspec.convert(answer, list[bytes])[-1].decode()
    return found
