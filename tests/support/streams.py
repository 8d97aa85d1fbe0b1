"""Events on a stream, as a publisher leaves them, and readers that run beside a test."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import cast

from callstream_client import events, keys
from callstream_client.reader import Reader
from callstream_client.wire import Delivery
from redis.asyncio import Redis

from jobs.redis import command

PORTAL = 62515


def entry(call_id: str, version: int, kind: str = events.UPDATED) -> dict[str, bytes | str]:
    """Return the fields of an event about a call."""
    data = events.CallEventData(
        portal_id=PORTAL,
        call_id=call_id,
        origin="webhook",
        call=events.Call(
            id=call_id,
            title=f"version {version}",
            direction="outbound",
            status="completed",
            duration_ms=90_000,
            created_at="2024-01-15T10:30:00.000Z",
            updated_at="2024-01-15T11:00:00.000Z",
            archived=False,
        ),
    )
    return {
        "specversion": events.SPEC_VERSION,
        "id": f"{PORTAL}:{call_id}:{version}",
        "source": keys.source("", PORTAL),
        "type": kind,
        "subject": call_id,
        "time": "2024-01-15T11:00:00.000Z",
        "datacontenttype": events.CONTENT_TYPE,
        "dataschema": events.CALL_EVENT_SCHEMA,
        "partitionkey": keys.partition_key(PORTAL, call_id),
        "sequence": f"{version:020}",
        "data": events.encode_data(data),
    }


async def announce(redis: Redis, partitions: int = 1, namespace: str = "") -> None:
    """Say how many partitions there are."""
    await command(redis, "HSET", keys.meta(namespace), keys.META_PARTITIONS, partitions)


async def add(
    redis: Redis, call_id: str, version: int, partition: int = 0, namespace: str = ""
) -> str:
    """Append an event and return its entry id."""
    return await put(redis, keys.stream(namespace, partition), entry(call_id, version))


async def put(redis: Redis, stream: str, fields: Mapping[str, bytes | str]) -> str:
    """Append an entry and return its id."""
    words = [word for pair in fields.items() for word in pair]
    return str(cast("bytes", await command(redis, "XADD", stream, "*", *words)).decode())


class Handled:
    """What a reader gave to its handler, in order."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()

    async def __call__(self, delivery: Delivery) -> None:
        """Take an event."""
        self._queue.put_nowait(delivery)

    async def next(self, count: int) -> list[str]:
        """Return the next events as `call:version`, as soon as there are `count` of them."""
        async with asyncio.timeout(10):
            return [shown(await self._queue.get()) for _ in range(count)]

    def empty(self) -> bool:
        """Return True if nothing is left to be taken."""
        return self._queue.empty()


def shown(delivery: Delivery) -> str:
    """Return an event as `call:version`."""
    assert isinstance(delivery.event, events.CallEvent)
    return f"{delivery.event.subject}:{int(delivery.event.sequence)}"


@asynccontextmanager
async def running(reader: Reader) -> AsyncGenerator[Handled]:
    """Run a reader beside the test and stop it in good order at its end."""
    handled = Handled()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(reader.run(handled))
        try:
            yield handled
        finally:
            reader.stop()
