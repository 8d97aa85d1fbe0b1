"""Compares calls that HubSpot lists with their records, and confirms those that are the same."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.scripts import Script
from jobs.stream.records import Records
from jobs.stream.stream import StaleProjectionError, Stream


class View(msgspec.Struct, frozen=True):
    """A call as a search or a listing shows it."""

    call_id: str
    state: Literal["live", "archived"]
    updated_at_ms: int
    """HubSpot's `updatedAt`."""
    digest: bytes | None = None
    """Of `jobs.events.digest`, where properties and associations were shown whole."""


class Compared(msgspec.Struct, frozen=True, array_like=True):
    """What a view is to us."""

    outcome: Literal["same", "newer", "other", "unknown"]
    """`newer`: HubSpot's time is later than ours; `other`: the state differs all the same."""
    stamp: int
    """When its record was last confirmed, epoch ms; 0 for an unknown call."""


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    clock: int
    generation: int
    compared: list[Compared]


_packer: Final = msgspec.msgpack.Encoder()
_unpacker: Final = msgspec.msgpack.Decoder(_Answer)


class Comparer:
    """Compares with the records of one deployment; raises `redis.RedisError` as Redis fails."""

    def __init__(self, redis: Redis, namespace: str, stream: Stream) -> None:
        """Use the streams' Redis."""
        self._prefix = keys.prefix(namespace)
        self._stream = stream
        self._records: Records = stream.records
        self._compare = Script(
            redis, "stream/clock", "stream/table", "stream/records", "stream/compare"
        )

    async def compare(
        self, portal_id: int, generation: int, views: Sequence[View], *, confirms: bool
    ) -> list[Compared]:
        """Return what each view is, in their order.

        Args:
            portal_id: of all views.
            generation: of the projection that digests were made with.
            views: what HubSpot showed.
            confirms: whether a view that is the same confirms its record: a search, which shows
                neither digests nor associations, does not.

        Raises:
            StaleProjectionError: the streams know a higher generation.
        """
        places: dict[int, list[int]] = {}
        for index, view in enumerate(views):
            partition = self._stream.partition_of(portal_id, view.call_id)
            places.setdefault(partition, []).append(index)
        found: dict[int, Compared] = {}
        for partition, indices in places.items():
            batch = {
                "portal": str(portal_id),
                "generation": generation,
                "seen": self._stream.seen(partition),
                "confirms": confirms,
                "views": [_pack(views[index]) for index in indices],
            }
            raw = await self._compare(
                [
                    f"{self._prefix}clock:{{{partition}}}",
                    self._records.root(partition),
                    f"{self._prefix}refused:{{{partition}}}:{portal_id}",
                ],
                [_packer.encode(batch)],
            )
            answer = _unpacker.decode(msgspec.convert(raw, bytes))
            if answer.generation > generation:
                raise StaleProjectionError(answer.generation)
            self._stream.witness(partition, answer.clock)
            found.update(zip(indices, answer.compared, strict=True))
        return [found[index] for index in range(len(views))]


def _pack(view: View) -> dict[str, str | int]:
    # Redis' msgpack knows no raw bytes: the digest travels as two numbers.
    packed: dict[str, str | int] = {
        "call": view.call_id,
        "state": view.state,
        "updated_at": view.updated_at_ms,
    }
    if view.digest is not None:
        packed["high"] = int.from_bytes(view.digest[:4])
        packed["low"] = int.from_bytes(view.digest[4:])
    return packed
