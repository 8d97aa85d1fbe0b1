"""Keeps in Redis how many signatures were refused, and why: of all service processes together.

Key, on the ledger's Redis, after the namespace:

- `door:refused`: hash: `<reason>` -> how many, `<reason>:at` -> when the last one was, in Redis'
  epoch ms, `<reason>:detail` -> what to do about it; expires `KEPT_MS` after the last refusal
"""

import asyncio
from collections.abc import Mapping
from typing import Final, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs import instants
from jobs.redis import command
from jobs.timing import Timing
from service.front_door.counters import FrontDoorCounters

KEPT_MS: Final = 7 * 86_400_000
"""For so long after the last refusal they are told of."""
WITHIN_S: Final = 2.0
"""How long Redis may take to note them."""


class Refused(msgspec.Struct, frozen=True):
    """Signatures that were refused for one reason."""

    reason: str
    count: int
    at: str
    """When the last one was, RFC 3339."""
    detail: str
    """What to do about it."""


class Refusals:
    """Brings one process' counts of refused signatures to Redis."""

    def __init__(
        self, counters: FrontDoorCounters, redis: Redis, namespace: str, timing: Timing
    ) -> None:
        self._counters = counters
        self._redis = redis
        self._key = f"{keys.prefix(namespace)}door:refused"
        self._every_s = timing.refusals_every_ms / 1000
        self._told: dict[str, int] = {}

    async def tell_forever(self) -> None:
        """Note what came, every now and then, until cancelled, and once more then."""
        try:
            while True:
                await asyncio.sleep(self._every_s)
                await self._try()
        finally:
            await asyncio.shield(self._try())

    async def tell(self) -> None:
        """Note what came since; raises `redis.RedisError` when Redis is away."""
        fresh = {
            reason: count - self._told.get(reason, 0)
            for reason, count in self._counters.rejected.items()
            if count > self._told.get(reason, 0)
        }
        if not fresh:
            return
        seconds, micros = await self._redis.time()
        pipeline = self._redis.pipeline(transaction=True)
        for reason, count in fresh.items():
            detail = self._counters.last_rejected.get(reason, "")
            told = {f"{reason}:at": seconds * 1000 + micros // 1000, f"{reason}:detail": detail}
            pipeline.hincrby(self._key, reason, count)
            pipeline.hset(self._key, mapping=told)
        pipeline.pexpire(self._key, KEPT_MS)
        await pipeline.execute()
        for reason, count in fresh.items():
            self._told[reason] = self._told.get(reason, 0) + count

    async def _try(self) -> None:
        """Note what came; what cannot be noted while Redis is away is noted later."""
        try:
            async with asyncio.timeout(WITHIN_S):
                await self.tell()
        except (RedisError, OSError, TimeoutError):
            return  # the front door tells of its absence


async def read_refused(redis: Redis, namespace: str) -> list[Refused]:
    """Return the refused signatures by reason, the most frequent first.

    Raises:
        redis.RedisError: Redis is away.
    """
    answer = await command(redis, "HGETALL", f"{keys.prefix(namespace)}door:refused")
    held = cast("Mapping[bytes, bytes]", answer)
    fields = {name.decode(): value.decode(errors="replace") for name, value in held.items()}
    found = [
        Refused(
            reason,
            int(count),
            instants.ms_to_text(int(fields.get(f"{reason}:at", "0"))) or "",
            fields.get(f"{reason}:detail", ""),
        )
        for reason, count in fields.items()
        if ":" not in reason
    ]
    return sorted(found, key=lambda one: (-one.count, one.reason))
