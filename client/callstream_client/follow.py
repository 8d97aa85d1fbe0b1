"""Looks on at the streams without a consumer group: nothing is acknowledged, no one disturbed."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from typing import Final

from redis.asyncio import Redis

from callstream_client import keys, wire
from callstream_client.backoff import Backoff
from callstream_client.wire import AwayError, Delivery, ask

NOW: Final = "$"
"""Begin with the next event."""
PARTITIONS_EVERY_S: Final = 5.0
"""How often to look whether there are more partitions."""

_log = logging.getLogger(__name__)


class Follower:
    """Positions on all partitions of a namespace."""

    def __init__(self, redis: Redis, namespace: str = "", since: str = NOW) -> None:
        """Look on at the streams of `namespace`, from the entries after the id `since`."""
        self._redis = redis
        self._namespace = namespace
        self._since = since
        self._positions: dict[str, str] = {}
        self._begun = False
        self._look_at = 0.0

    async def read(self, count: int, block_ms: int) -> list[Delivery]:
        """Return what came next, of each partition in its order; nothing if nothing came.

        Raises:
            AwayError: Redis does not answer; the positions are kept.
            redis.RedisError: Redis refuses.
        """
        await self._look_for_partitions()
        block_ms = wire.block_within(self._redis, block_ms)
        if not self._positions:
            await asyncio.sleep(block_ms / 1_000)
            return []
        head = ("XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS")
        places = (*self._positions, *self._positions.values())
        answer = await ask(self._redis, *head, *places, block_ms=block_ms)
        found: list[Delivery] = []
        for stream, entries in wire.entries_of(answer):
            self._positions[stream] = entries[-1][0]
            found += [wire.delivery(stream, *entry) for entry in entries]
        return found

    async def _look_for_partitions(self) -> None:
        if time.monotonic() < self._look_at:
            return
        count = await wire.partitions(self._redis, self._namespace)
        for partition in range(len(self._positions), count):
            stream = keys.stream(self._namespace, partition)
            self._positions[stream] = await self._begin(stream)
        self._begun = True
        self._look_at = time.monotonic() + PARTITIONS_EVERY_S if count else 0.0

    async def _begin(self, stream: str) -> str:
        if self._since != NOW:
            return self._since
        if self._begun:  # all of it came after the beginning
            return "0-0"
        last = wire.entries(await ask(self._redis, "XREVRANGE", stream, "+", "-", "COUNT", 1))
        return last[0][0] if last else "0-0"


async def follow(
    redis: Redis,
    *,
    namespace: str = "",
    since: str = NOW,
    count: int = 100,
    block_ms: int = 1_000,
) -> AsyncGenerator[Delivery, None]:
    """Yield every event from now on, or from after the entry id `since`; never ends by itself.

    Each partition's events come in their order. While Redis is away it is asked again, with growing
    waits, and the streams go on where they were left. Close the iterator to end it.

    Args:
        redis: a client of the streams' Redis.
        namespace: the deployment's `NAMESPACE`.
        since: an entry id, such as `1705316400123-0`; `0` begins with the oldest event kept.
        count: how many events to fetch at once from each partition.
        block_ms: how long one request waits for an event.

    Raises:
        redis.RedisError: Redis refuses, as for missing rights.
    """
    follower = Follower(redis, namespace, since)
    backoff = Backoff()
    while True:
        try:
            deliveries = await follower.read(count, block_ms)
        except AwayError as error:
            if backoff.fresh:
                _log.warning("Redis does not answer (%s); asking again until it does", error)
            await asyncio.sleep(backoff.next_ms() / 1_000)
            continue
        backoff.reset()
        for delivery in deliveries:
            yield delivery
