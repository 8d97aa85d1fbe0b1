"""Deletes a call's events from the streams by reading through them, all but one without a state."""

from collections.abc import Callable, Mapping
from typing import Final, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.redis import command

AT_ONCE: Final = 200
"""Entries that are looked at in one go; each holds up to a call's whole text."""

Progress = Callable[[int, int], None]
"""Is told how many entries of how many were looked at."""


class _Call(msgspec.Struct, frozen=True):
    call: msgspec.Raw | None = None


class _Seen(msgspec.Struct, frozen=True):
    """An event of the call."""

    stream: str
    entry_id: bytes
    sequence: bytes
    is_bare: bool
    """Whether it carries no state of the call."""


_data: Final = msgspec.json.Decoder(_Call)


class Events:
    """One call's events on all streams; raises `redis.RedisError` when their Redis is away."""

    def __init__(self, streams: Redis, namespace: str, portal_id: int, call_id: str) -> None:
        self._streams = streams
        self._namespace = namespace
        self._key = keys.partition_key(portal_id, call_id).encode()
        self._seen = 0

    async def delete(self, progress: Progress) -> int:
        """Delete them and return how many; the last one stays if it carries no state."""
        names = await self._names()
        total = sum([cast("int", await command(self._streams, "XLEN", name)) for name in names])
        last: _Seen | None = None
        count = 0
        for name in names:
            start = "-"
            while entries := await self._entries(name, start):
                for entry_id, fields in entries:
                    if fields.get(b"partitionkey") != self._key:
                        continue
                    found = _seen(name, entry_id, fields)
                    older, last = _in_order(last, found)
                    count += await self._drop(older)
                self._seen += len(entries)
                progress(self._seen, max(self._seen, total))
                start = f"({entries[-1][0].decode()}"
        if last is not None and not last.is_bare:
            count += await self._drop(last)
        return count

    async def _names(self) -> list[str]:
        """Return the streams, those of replays among them."""
        held = await command(
            self._streams, "HGET", keys.meta(self._namespace), keys.META_PARTITIONS
        )
        partitions = int(cast("bytes", held or b"0"))
        names = [keys.stream(self._namespace, partition) for partition in range(partitions)]
        replays = f"{keys.prefix(self._namespace)}calls:replay:*"
        found = self._streams.scan_iter(match=replays, count=1_000, _type="STREAM")
        names += [cast("bytes", key).decode() async for key in found]
        return names

    async def _entries(self, stream: str, start: str) -> list[tuple[bytes, Mapping[bytes, bytes]]]:
        answer = await self._streams.xrange(stream, start, "+", AT_ONCE)
        return cast("list[tuple[bytes, Mapping[bytes, bytes]]]", answer)

    async def _drop(self, seen: _Seen | None) -> int:
        if seen is None:
            return 0
        return cast("int", await command(self._streams, "XDEL", seen.stream, seen.entry_id))


def _seen(stream: str, entry_id: bytes, fields: Mapping[bytes, bytes]) -> _Seen:
    try:
        is_bare = _data.decode(fields.get(b"data", b"")).call is None
    except msgspec.MsgspecError:
        is_bare = False
    return _Seen(stream, entry_id, fields.get(b"sequence", b""), is_bare)


def _in_order(last: _Seen | None, found: _Seen) -> tuple[_Seen | None, _Seen]:
    """Return the earlier one and the later one; copies of one event lie in replays."""
    if last is None or last.sequence < found.sequence:
        return last, found
    return found, last
