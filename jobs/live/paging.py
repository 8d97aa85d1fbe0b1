"""Associations that are too many for one job: how far they were read, for whoever goes on.

Key, on the ledger's Redis, after the namespace:

- `paging:<portal>:<call>`: string, JSON of `Paging`; expires

A call whose associations need more requests than its budget, or a job, has room for is read over
several jobs. Its memo says so in the ledger; what was read lies here. If that expires, it is read
from the beginning.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.hubspot.reads import Begun
from jobs.redis import command
from jobs.timing import Timing


class Paging(msgspec.Struct, frozen=True):
    """What was read of one call's associations."""

    ticket: int
    """Of the call's partition, taken before the first of their pages was read: the call's state is
    no newer than that."""
    kinds: Mapping[str, Begun]
    """By type of object."""


_decoder = msgspec.json.Decoder(Paging)


class Pagings:
    """All of them; every method raises `redis.RedisError` when Redis is away."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing) -> None:
        """Use the ledger's Redis."""
        self._redis = redis
        self._prefix = f"{keys.prefix(namespace)}paging:"
        self._keep_ms = timing.paging_keep_ms

    async def load(self, portal_id: int, call_ids: Sequence[str]) -> dict[str, Paging]:
        """Return how far each of the calls was read, those without a word left out."""
        if not call_ids:
            return {}
        names = [self._key(portal_id, call_id) for call_id in call_ids]
        held = cast("list[bytes | None]", await command(self._redis, "MGET", *names))
        pairs = zip(call_ids, held, strict=True)
        return {call_id: _decoder.decode(raw) for call_id, raw in pairs if raw is not None}

    async def keep(self, portal_id: int, pagings: Mapping[str, Paging]) -> None:
        """Remember how far the calls were read."""
        for call_id, paging in pagings.items():
            raw = msgspec.json.encode(paging)
            key = self._key(portal_id, call_id)
            await command(self._redis, "SET", key, raw, "PX", self._keep_ms)

    async def forget(self, portal_id: int, call_ids: Sequence[str]) -> None:
        """Forget it: the calls' associations are complete."""
        if call_ids:
            names = [self._key(portal_id, call_id) for call_id in call_ids]
            await command(self._redis, "UNLINK", *names)

    def _key(self, portal_id: int, call_id: str) -> str:
        return f"{self._prefix}{portal_id}:{call_id}"
