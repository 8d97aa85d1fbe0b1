"""Tells whether a Redis kept its data, on a connection that nothing else uses.

A canary counts up without pause and remembers each number that was acknowledged, with the time. A
number that is not above the last acknowledged one means that acknowledged writes are gone.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.redis import TRANSIENT, command, connect

EVERY_S: Final = 0.02
KEY: Final = "canary:count"


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Acknowledged writes that a server no longer has."""

    writes: int
    span_s: float
    """From the first lost write to the last."""


class Canary:
    """Counts on one server; made by `canary_of`."""

    def __init__(self, name: str, redis: Redis) -> None:
        self.name = name
        self.losses: list[Loss] = []
        self.silent_s = 0.0
        """The longest time without an acknowledged write."""
        self._redis = redis
        self._acknowledged: dict[int, float] = {}
        self._last = 0

    @property
    def kept(self) -> bool:
        """Whether every acknowledged write is still there, as far as was looked."""
        return not self.losses

    @property
    def writes(self) -> int:
        """How many writes were acknowledged."""
        return len(self._acknowledged)

    async def count(self) -> None:
        """Write once, and compare."""
        number = await command(self._redis, "INCR", KEY)
        now = time.monotonic()
        number = msgspec.convert(number, int)
        before = self._acknowledged.get(self._last, now)
        self.silent_s = max(self.silent_s, now - before)
        if number <= self._last:
            lost = [at for told, at in self._acknowledged.items() if told >= number]
            span_s = max(lost) - min(lost) if lost else 0.0
            self.losses.append(Loss(writes=len(lost), span_s=span_s))
            # What was counted before and lies above would be taken for lost once more.
            self._acknowledged = {n: at for n, at in self._acknowledged.items() if n < number}
        self._last = number
        self._acknowledged[number] = now

    async def sing(self) -> None:
        """Count until cancelled, whatever becomes of the server."""
        while True:
            with contextlib.suppress(*TRANSIENT, RedisError):
                await self.count()
            await asyncio.sleep(EVERY_S)


@contextlib.asynccontextmanager
async def canary_of(name: str, url: str) -> AsyncGenerator[Canary]:
    """Count on the Redis at `url` until the block ends."""
    async with connect(url, timeout_s=0.5, retries=0) as redis:
        canary = Canary(name, redis)
        await canary.count()
        task = asyncio.create_task(canary.sing())
        try:
            yield canary
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
