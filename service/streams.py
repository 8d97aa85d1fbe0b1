"""What lies on the call streams, in figures; keys as `jobs.stream.stream` lays them out."""

from collections.abc import Mapping
from typing import cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.redis import command


class Group(msgspec.Struct, frozen=True):
    """A consumer group of a stream."""

    name: str
    consumers: int
    pending: int
    """Events given out and not acknowledged."""
    lag: int | None = None
    """Events not yet given out; None where the server cannot tell (before Redis 7)."""


class StreamFigures(msgspec.Struct, frozen=True):
    """One partition's stream."""

    key: str
    length: int
    last_id: str = ""
    groups: tuple[Group, ...] = ()


async def read_streams(redis: Redis, namespace: str) -> list[StreamFigures]:
    """Return the figures of every partition's stream.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    partitions = await command(redis, "HGET", keys.meta(namespace), keys.META_PARTITIONS)
    names = [
        keys.stream(namespace, number) for number in range(int(cast("bytes", partitions or 0)))
    ]
    return [await _stream(redis, name) for name in names]


async def _stream(redis: Redis, key: str) -> StreamFigures:
    if not await command(redis, "EXISTS", key):
        return StreamFigures(key, 0)
    info = cast("Mapping[str, object]", await redis.xinfo_stream(key))
    groups = cast("list[Mapping[str, object]]", await redis.xinfo_groups(key))
    return StreamFigures(
        key,
        cast("int", info["length"]),
        _text(info["last-generated-id"]),
        tuple(map(_group, groups)),
    )


def _group(told: Mapping[str, object]) -> Group:
    lag = told.get("lag")
    return Group(
        _text(told["name"]),
        cast("int", told["consumers"]),
        cast("int", told["pending"]),
        None if lag is None else cast("int", lag),
    )


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
