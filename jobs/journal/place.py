"""Where the journal's reading stands: who reads it, and from which offset it goes on.

Keys, on the ledger's Redis, after the namespace:

- `journal:<client id>`: hash: offset, of the last file that is in the ledger, absent = none;
  moved_at, when that was; read_to, when HubSpot had published it; caught_up_at, when HubSpot last
  had nothing newer; files, how many were read; gaps and gap_at, how often files were lost before
  they were read, and when that was seen last; holder and until, the worker that reads and until
  when. Times are Redis' epoch ms, read_to HubSpot's.
- `journal:<client id>:subscriptions`: hash, id of a subscription that we made -> what it was made
  for, JSON (`jobs.journal.subscriptions`)
"""

from typing import cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.redis import command
from jobs.scripts import Script
from jobs.timing import Timing


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How far one app's journal has been read; times are epoch ms, None = never."""

    client_id: str
    reader: str | None
    """The worker that reads; None if none does."""
    offset: str
    """HubSpot's, of the last file that is in the ledger; empty = none is."""
    moved_at: int | None
    """When that file was done."""
    read_to: int | None
    """When HubSpot had published it."""
    caught_up_at: int | None
    """When HubSpot last had nothing newer."""
    lag_ms: int | None
    """For how long nothing was known to be read; None = nothing ever was."""
    files: int
    """How many were read."""
    gaps: int
    """How often HubSpot no longer kept what was to be read next: each led to full rounds."""
    gap_at: int | None
    """When that was seen last."""
    subscriptions: int
    """How many were made for accounts and for the app's life cycle."""


class Place:
    """One app's place in the journal; raises `redis.RedisError` when Redis is away."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing, client_id: str) -> None:
        """Use `redis`, whose keys all start with `namespace` and a colon (none if it is empty)."""
        self._redis = redis
        self._client_id = client_id
        self._lease_ms = timing.journal_lease_ms
        self.key = f"{keys.prefix(namespace)}journal:{client_id}"
        """The hash that says where the reading stands."""
        self._ours = f"{self.key}:subscriptions"
        self._hold = Script(redis, "journal/hold")
        self._move = Script(redis, "journal/move")
        self._rest = Script(redis, "journal/rest")
        self._leave = Script(redis, "journal/leave")

    async def hold(self, worker: str) -> str | None:
        """Be the reader, or stay it; return the offset to go on from, None if another reads.

        The offset is empty as long as no file was read.
        """
        answer = await self._hold([self.key], [worker, self._lease_ms])
        return None if answer is None else cast("bytes", answer).decode()

    async def move(self, before: str, after: str, *, published_at: int = 0) -> bool:
        """Go on from `after` next; False, and nothing is done, if somebody has moved on.

        Args:
            before: where the caller went on from.
            after: the offset of the file that is done; empty = HubSpot has lost what came next.
            published_at: when HubSpot published that file, in epoch ms; 0 = unknown.
        """
        return await self._move([self.key], [before, after, published_at]) == 1

    async def rest(self, worker: str) -> None:
        """Note that there is nothing to read, if this is still the reader."""
        await self._rest([self.key], [worker])

    async def leave(self, worker: str) -> None:
        """Be the reader no longer."""
        await self._leave([self.key], [worker])

    async def look(self) -> Reading:
        """Return how far the journal has been read."""
        fields = cast("dict[bytes, bytes]", await command(self._redis, "HGETALL", self.key))
        made = cast("int", await command(self._redis, "HLEN", self._ours))
        seconds, micros = msgspec.convert(
            await command(self._redis, "TIME"), tuple[int, int], strict=False
        )
        return _reading(self._client_id, fields, made, seconds * 1_000 + micros // 1_000)

    async def ours(self) -> dict[int, str]:
        """Return the subscriptions that we made: id -> what for."""
        kept = cast("dict[bytes, bytes]", await command(self._redis, "HGETALL", self._ours))
        return {int(made): wanted.decode() for made, wanted in kept.items()}

    async def made(self, subscription_id: int, wanted: str) -> None:
        """Remember that we made a subscription."""
        await command(self._redis, "HSET", self._ours, subscription_id, wanted)

    async def unmade(self, subscription_id: int) -> None:
        """Forget a subscription that is gone."""
        await command(self._redis, "HDEL", self._ours, subscription_id)


def _reading(client_id: str, fields: dict[bytes, bytes], made: int, now: int) -> Reading:
    def number(name: bytes) -> int:
        return int(fields.get(name, b"0"))

    known_until = max(number(b"read_to"), number(b"caught_up_at"))
    return Reading(
        client_id=client_id,
        reader=fields[b"holder"].decode() if number(b"until") > now else None,
        offset=fields.get(b"offset", b"").decode(),
        moved_at=number(b"moved_at") or None,
        read_to=number(b"read_to") or None,
        caught_up_at=number(b"caught_up_at") or None,
        lag_ms=max(0, now - known_until) if known_until else None,
        files=number(b"files"),
        gaps=number(b"gaps"),
        gap_at=number(b"gap_at") or None,
        subscriptions=made,
    )
