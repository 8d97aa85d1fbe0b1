"""What the streams' Redis holds of an account: records of its calls, and their events."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.redis import command
from jobs.scripts import Script

AT_ONCE: Final = 200
"""Entries that are looked at in one go; each holds up to a call's whole text."""

Progress = Callable[[int, int], None]
"""Is told how many entries of how many were looked at."""


class Deleted(msgspec.Struct, frozen=True):
    """The events of an account that were deleted from a stream."""

    count: int = 0
    first_id: str | None = None
    last_id: str | None = None


class Streamed:
    """An account's share of the streams; raises `redis.RedisError` when their Redis is away."""

    def __init__(self, streams: Redis, namespace: str, portal_id: int) -> None:
        self._streams = streams
        self._prefix = keys.prefix(namespace)
        self._namespace = namespace
        self._portal_id = portal_id
        self._forget = Script(streams, "stream/table", "stream/records", "stream/forget")
        self._known = Script(streams, "stream/table", "stream/records", "stream/known")

    async def partitions(self) -> int:
        """Return how many streams there are; 0 before the first worker has announced them."""
        meta = keys.meta(self._namespace)
        found = await command(self._streams, "HGET", meta, keys.META_PARTITIONS)
        return int(cast("bytes", found or b"0"))

    async def count(self, partition: int) -> int:
        """Return how many of the account's calls are known."""
        known = await self._known([self._root(partition)], [str(self._portal_id)])
        return msgspec.convert(known, int)

    async def count_all(self, partitions: Iterable[int]) -> int:
        """Return how many are known in all these partitions."""
        return sum([await self.count(partition) for partition in partitions])

    async def forget(self, partition: int) -> None:
        """Forget the records: every call of the account is then one that was never seen."""
        refused = f"{self._prefix}refused:{{{partition}}}:{self._portal_id}"
        left: object = 1
        while left:
            left = await self._forget([self._root(partition), refused], [str(self._portal_id)])

    async def delete_events(self, partition: int, progress: Progress) -> Deleted:
        """Delete the account's events by reading through the stream."""
        stream, start = keys.stream(self._namespace, partition), "-"
        total = cast("int", await command(self._streams, "XLEN", stream))
        seen, deleted = 0, Deleted()
        while entries := await self._entries(stream, start):
            mine = [entry_id for entry_id, fields in entries if self._owns(fields)]
            if mine:
                await command(self._streams, "XDEL", stream, *mine)
                first_id = deleted.first_id or mine[0]
                deleted = Deleted(deleted.count + len(mine), first_id, mine[-1])
            seen += len(entries)
            progress(seen, max(seen, total))
            start = f"({entries[-1][0]}"
        return deleted

    async def _entries(self, stream: str, start: str) -> list[tuple[str, Mapping[bytes, bytes]]]:
        answer = await self._streams.xrange(stream, start, "+", AT_ONCE)
        entries = cast("list[tuple[bytes, Mapping[bytes, bytes]]]", answer)
        return [(entry_id.decode(), fields) for entry_id, fields in entries]

    def _owns(self, fields: Mapping[bytes, bytes]) -> bool:
        """Tell whether the event is about a call of the account."""
        portal, _, _ = fields.get(b"partitionkey", b"").partition(b":")
        return portal == str(self._portal_id).encode()

    def _root(self, partition: int) -> str:
        return f"{self._prefix}records:{{{partition}}}"
