"""What a consumer saw, and when: it reads along while everything else is broken.

A stream that lost entries cannot tell of them; who has read them can. So the tail is the witness
that an id never names two states and that versions do not run backwards, across losses as well.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Final

import msgspec
from callstream_client import keys
from callstream_client.events import CallEvent, decode
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.typing import KeyT, StreamIdT

from jobs.redis import TRANSIENT, connect

_BLOCK_MS: Final = 200
_PAUSE_S: Final = 0.05
_COUNT: Final = 1_000


class Seen(msgspec.Struct, frozen=True):
    """An event, and when it was read."""

    event: CallEvent
    at_ms: int
    """Epoch ms of this machine."""


class Tail:
    """Reads all partitions' streams from their beginning; made by `tail_of`."""

    def __init__(self, redis: Redis, namespace: str, partitions: int) -> None:
        self.seen: list[Seen] = []
        self._redis = redis
        self._places: dict[KeyT, StreamIdT] = {
            keys.stream(namespace, number): "0" for number in range(partitions)
        }

    async def read(self) -> None:
        """Read what is new, waiting a little for it."""
        answer = await self._redis.xread(self._places, count=_COUNT, block=_BLOCK_MS)
        now = time.time_ns() // 1_000_000
        for stream, entries in answer:
            for entry_id, fields in entries:
                self._places[stream.decode()] = entry_id.decode()
                event = decode(fields)
                if isinstance(event, CallEvent):
                    self.seen.append(Seen(event, now))

    async def follow(self) -> None:
        """Read until cancelled, whatever becomes of the server."""
        while True:
            try:
                await self.read()
            except (*TRANSIENT, RedisError):
                await asyncio.sleep(_PAUSE_S)

    def backwards(self) -> Iterator[str]:
        """Yield each event that was read with a version that is not above its call's last."""
        last: dict[str, CallEvent] = {}
        ids: dict[str, CallEvent] = {}
        for seen in self.seen:
            event = seen.event
            known = ids.setdefault(event.id, event)
            if known.data.call != event.data.call or known.data.merged_into != (
                event.data.merged_into
            ):
                yield f"call {event.subject}: {event.id} names two states"
            before = last.get(event.subject)
            if known is event and before is not None:
                yield from _compared(before, event)
            last[event.subject] = event

    def first_after(self, at_ms: int) -> int | None:
        """Return when the first event after a moment was read, None if none was."""
        return next((seen.at_ms for seen in self.seen if seen.at_ms >= at_ms), None)

    def last_of_each(self) -> dict[str, int]:
        """Return when each call's last event was read."""
        return {seen.event.subject: seen.at_ms for seen in self.seen}


def _compared(before: CallEvent, after: CallEvent) -> Iterator[str]:
    """Yield how an event lies before the one that was read before it."""
    if after.sequence <= before.sequence:
        yield f"call {after.subject}: {after.sequence} was read after {before.sequence}"
    earlier, later = before.data.call, after.data.call
    if earlier is None or later is None or later.updated_at >= earlier.updated_at:
        return
    yield (
        f"call {after.subject}: {after.id} is as of {later.updated_at}, and the event before it "
        f"as of {earlier.updated_at}"
    )


@contextlib.asynccontextmanager
async def tail_of(url: str, namespace: str, partitions: int) -> AsyncGenerator[Tail]:
    """Read along at the Redis at `url` until the block ends."""
    async with connect(url, timeout_s=1.0, retries=0) as redis:
        tail = Tail(redis, namespace, partitions)
        task = asyncio.create_task(tail.follow())
        try:
            yield tail
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
