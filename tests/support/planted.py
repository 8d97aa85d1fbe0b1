"""Secrets that a test plants, and everything that its processes wrote, to be searched for them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from redis.asyncio import Redis

from jobs.redis import command

ISSUED: Final = re.compile(rb"na1-(?:access|refresh|code)-[0-9a-f]{40}")
"""The tokens and codes that the stand-in gives out."""
_SEALED: Final = re.compile(rb"gAAAA[A-Za-z0-9_-]{60,}={0,2}")
"""Values under a Fernet key."""


def leaks(written: Mapping[str, bytes], planted: Mapping[str, str]) -> list[str]:
    """Return what was planted, or issued by the stand-in, and stands in what was written."""
    found: list[str] = []
    for place, content in written.items():
        found += [
            f"{name} in {place}" for name, value in planted.items() if value.encode() in content
        ]
        found += [f"{match[:12].decode()}… in {place}" for match in ISSUED.findall(content)]
    return found


async def dumped(redis: Redis) -> dict[str, bytes]:
    """Return all that Redis holds, key by key, with sealed values blotted out."""
    held: dict[str, bytes] = {}
    async for key in redis.scan_iter(count=1_000):
        name = cast("bytes", key)
        values = b"\n".join(_flat(await _value(redis, name)))
        held[f"redis {name.decode()}"] = name + b"\n" + _SEALED.sub(b"<sealed>", values)
    return held


async def _value(redis: Redis, key: bytes) -> object:
    kind = cast("bytes", await command(redis, "TYPE", key)).decode()
    reading = {
        "string": ("GET", key),
        "hash": ("HGETALL", key),
        "list": ("LRANGE", key, 0, -1),
        "set": ("SMEMBERS", key),
        "zset": ("ZRANGE", key, 0, -1),
        "stream": ("XRANGE", key, "-", "+"),
    }
    return await command(redis, *reading[kind]) if kind in reading else b""


def _flat(value: object) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for pair in cast("Mapping[object, object]", value).items():
            yield from _flat(pair)
    elif isinstance(value, list | tuple | set):
        for item in cast("Iterable[object]", value):
            yield from _flat(item)
