"""What is known of every published call: one record of 27 bytes each.

Keys, on the streams' Redis, after the namespace, for the partition 0:

- `records:{0}:<portal>`: hash, bucket 0 of the portal's table: call -> record, and the fields
  `buckets`, `count` and, from 2 on, `generation` (of the portal's projection)
- `records:{0}:<portal>:<n>`: hash, bucket n of it: call -> record
- `records:{0}:small`, `records:{0}:small:<n>`: hashes, the table that portals of few calls share:
  `<portal>:<call>` -> record, `<portal>` -> generation

A record is big-endian: version, stamp and HubSpot's `updatedAt` in 6 bytes each, all in ms, the
digest in 8, the state in 1. `jobs/lua/stream/table.lua` and `records.lua` say how tables grow.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Self

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.scripts import Script

State = Literal["live", "archived", "gone", "merged", "erased"]
"""What HubSpot has of a call; `gone` and `merged` mean that it no longer answers for its id,
`erased` that it was deleted for privacy: what HubSpot may still show of it is not published, unless
it insists on a live call. Such a record is kept of calls that never were on the stream, too, with
version 0."""

BYTES = 27
"""Length of a record."""

STATES: tuple[State, ...] = ("live", "archived", "gone", "merged", "erased")
"""The states in the order of their numbers in a record."""


class Record(msgspec.Struct, frozen=True):
    """What was last published of a call."""

    version: int
    """The version of its last event."""
    stamp: int
    """The partition's clock when its state was last published or confirmed."""
    updated_at_ms: int
    """HubSpot's `updatedAt`, the latest seen; 0 = unknown."""
    digest: bytes
    state: State

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Return the record that the 27 bytes hold.

        Raises:
            ValueError: they are no record, or one of a later release.
        """
        if len(raw) != BYTES or raw[-1] >= len(STATES):
            msg = "the bytes are no record of a call that this release knows"
            raise ValueError(msg)
        return cls(
            int.from_bytes(raw[0:6]),
            int.from_bytes(raw[6:12]),
            int.from_bytes(raw[12:18]),
            raw[18:26],
            STATES[raw[26]],
        )


class Records:
    """The records of all partitions; raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, namespace: str, partitions: int) -> None:
        prefix = keys.prefix(namespace)
        self._roots = [f"{prefix}records:{{{index}}}" for index in range(partitions)]
        self._walk = Script(redis, "stream/table", "stream/records", "stream/walk")
        self._known = Script(redis, "stream/table", "stream/records", "stream/known")
        self._adopt = Script(redis, "stream/table", "stream/records", "stream/adopt")
        self._among = Script(redis, "stream/table", "stream/records", "stream/among")

    def root(self, partition: int) -> str:
        """Return the key that the keys of the partition's records continue."""
        return self._roots[partition]

    async def walk(self, portal_id: int) -> AsyncIterator[tuple[str, Record]]:
        """Yield the portal's calls and their records, in no order.

        A call that is known from beginning to end comes at least once, whatever is published
        meanwhile; it may come twice.
        """
        place: tuple[int, int] | None = (0, 0)
        while place is not None:
            found, place = await self.step(portal_id, place)
            for call_id, record in found:
                yield call_id, record

    async def step(
        self, portal_id: int, place: tuple[int, int]
    ) -> tuple[list[tuple[str, Record]], tuple[int, int] | None]:
        """Return a part of what `walk` yields, and the place to go on at; None at the end.

        A place, which is a partition and a bucket, stays good for as long as one likes.
        """
        partition, bucket = place
        answer = await self._walk([self._roots[partition]], [str(portal_id), bucket])
        first, *rest = msgspec.convert(answer, list[object])
        bucket, fields = msgspec.convert(first, int), msgspec.convert(rest, list[bytes])
        pairs = zip(fields[::2], fields[1::2], strict=True)
        found = [(call.decode(), Record.decode(raw)) for call, raw in pairs]
        if bucket >= 0:
            return found, (partition, bucket)
        return found, (partition + 1, 0) if partition + 1 < len(self._roots) else None

    async def count(self, portal_id: int) -> int:
        """Return how many calls of the portal are known."""
        answers = [await self._known([root], [str(portal_id)]) for root in self._roots]
        return sum(msgspec.convert(answer, int) for answer in answers)

    async def present(self, partition: int, portal_id: int, call_ids: Sequence[str]) -> set[str]:
        """Return those calls of one partition that were published, and not as gone or merged."""
        answer = await self._among([self._roots[partition]], [str(portal_id), *call_ids])
        flags = msgspec.convert(answer, list[int])
        return {call_id for call_id, flag in zip(call_ids, flags, strict=True) if flag}

    async def adopt(self, portal_id: int, generation: int) -> None:
        """Let every partition refuse what is read with an older projection than `generation`."""
        for root in self._roots:
            await self._adopt([root], [str(portal_id), generation])
