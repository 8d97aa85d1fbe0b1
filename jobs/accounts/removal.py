"""Removes an account: tokens, ledger, dead letters and records at once, events where wanted.

In an order that may end anywhere and be begun again: the account is closed first, so that nothing
more is read of it; claims and turns that are at it are waited for; then all that is known of it
goes, and every stream gets one notice for its consumers.

Key, on the ledger's Redis, after the namespace:

- `accounts:removing`: hash, portal -> a word for its removal, which is in the ids of the notices
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from typing import Final, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.accounts.notices import Removed
from jobs.accounts.register import Register
from jobs.accounts.static import disown
from jobs.accounts.streamed import Deleted, Progress, Streamed
from jobs.backfill.record import READS
from jobs.ledger.ledger import Ledger
from jobs.redis import command
from jobs.timing import Timing

WHY: Final = "removed"
LETTERS_AT_ONCE: Final = 50
"""Dead letters that are looked at in one go; each holds up to 64 KiB."""
SCAN_STEP: Final = 1_000
INDEXES: Final = ("reconciliation:due", "backfills", "breaker:failing", "breaker:waking")
"""Sorted sets of accounts, beside those of the ledger and of the register."""
POLL_S: Final = 0.05
JOB_MS: Final = 60_000
"""The longest that a job of the live queue takes: it is then ended (`jobs.worker`)."""


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed."""

    portal_id: int
    marks: int = 0
    """Calls that waited to be read, or were being read."""
    dead_letters: int = 0
    records: int = 0
    """Calls that were known."""
    events: int = 0
    """Events that were deleted; the others stay until retention trims them."""
    notices: int = 0
    """Streams whose consumers were told; none if nothing was known of the account."""


class Remover:
    """Removes accounts; raises `redis.RedisError` when a Redis is away, and may go on later."""

    def __init__(  # noqa: PLR0913 - two servers and what lies on them
        self,
        redis: Redis,
        streams: Redis,
        namespace: str,
        *,
        ledger: Ledger,
        register: Register,
        timing: Timing,
    ) -> None:
        """Remove from `redis`, the ledger's, and from `streams`."""
        self._redis = redis
        self._streams = streams
        self._namespace = namespace
        self._prefix = keys.prefix(namespace)
        self._register = register
        self._timing = timing
        self._close = ledger.script("accounts/close")
        self._forget = ledger.script("accounts/forget")

    async def remove(
        self, portal_id: int, *, now: bool = False, progress: Progress = lambda _, __: None
    ) -> Removal:
        """Remove an account; `now` deletes its events as well, by reading through the streams."""
        streamed = Streamed(self._streams, self._namespace, portal_id)
        partitions = range(await streamed.partitions())
        if not await self._is_known(portal_id) and not await streamed.count_all(partitions):
            return Removal(portal_id=portal_id, dead_letters=await self._bury(portal_id))
        word = await self._begin(portal_id)
        await self._end_work(portal_id)
        records = await streamed.count_all(partitions)
        marks = await self._forget_ledger(portal_id)
        letters = await self._bury(portal_id)
        events, notice = 0, Removed(self._streams, self._namespace, portal_id, word)
        for partition in partitions:
            await streamed.forget(partition)
            deleted = await streamed.delete_events(partition, progress) if now else Deleted()
            await notice.tell(partition, deleted.first_id, deleted.last_id)
            events += deleted.count
        await command(self._redis, "HDEL", self._removing, portal_id)
        return Removal(
            portal_id=portal_id,
            marks=marks,
            dead_letters=letters,
            records=records,
            events=events,
            notices=len(partitions),
        )

    @property
    def _removing(self) -> str:
        return f"{self._prefix}accounts:removing"

    async def _is_known(self, portal_id: int) -> bool:
        """Tell whether there is anything of the account, or an unfinished removal."""
        own = [f"{self._prefix}ledger:{portal_id}", f"{self._prefix}ledger:{portal_id}:due"]
        found = await command(self._redis, "EXISTS", self._register.key(portal_id), *own)
        begun = await command(self._redis, "HEXISTS", self._removing, portal_id)
        return bool(found or begun)

    async def _begin(self, portal_id: int) -> str:
        """Return the word for the account's removal: that of an unfinished one, or a new one."""
        await command(self._redis, "HSETNX", self._removing, portal_id, secrets.token_hex(8))
        word = await command(self._redis, "HGET", self._removing, portal_id)
        return cast("bytes", word).decode()

    async def _end_work(self, portal_id: int) -> None:
        """Close the account, and wait for who reads it: they might yet publish, or mark.

        A claim ends with its reads, a turn of a collection after a page; that of a worker which
        died, when its lease has run out.
        """
        timing = self._timing
        leases = (timing.lease_ms, timing.backfill_lease_ms, timing.collection_lease_ms)
        deadline = time.monotonic() + (JOB_MS + max(leases)) / 1000
        arguments = [str(portal_id), WHY]
        turns = [f"{self._prefix}backfills:{portal_id}:{reads}" for reads in READS]
        turns.append(f"{self._prefix}reconciliation:{portal_id}")
        places = [self._register.key(portal_id), self._register.index, *turns]
        # No event is set here by the processes that end their work.
        while await self._close(places, arguments) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    async def _forget_ledger(self, portal_id: int) -> int:
        """Forget the account's marks, and whatever else is named after it; return the marks."""
        await disown(self._redis, self._namespace, portal_id)
        for index in INDEXES:
            await self._leave(f"{self._prefix}{index}", portal_id)
        others = [key async for key in self._named(portal_id)]
        return msgspec.convert(await self._forget(others, [str(portal_id)]), int)

    async def _leave(self, index: str, portal_id: int) -> None:
        """Take the account out of a sorted set whose members begin with a portal."""
        members = [
            cast("bytes", member)
            async for member, _ in self._redis.zscan_iter(index, match=f"{portal_id}*")
        ]
        mine = [one for one in members if one.split(b":")[0] == str(portal_id).encode()]
        if mine:
            await command(self._redis, "ZREM", index, *mine)

    async def _named(self, portal_id: int) -> AsyncIterator[str]:
        """Yield the keys whose second part is the account, such as `budget:62515:burst`."""
        pattern = f"{self._prefix}*:{portal_id}*"
        async for key in self._redis.scan_iter(match=pattern, count=SCAN_STEP):
            name = cast("bytes", key).decode()
            room, _, rest = name.removeprefix(self._prefix).partition(":")
            if rest.partition(":")[0] == str(portal_id) and room not in ("ledger", "arq"):
                yield name

    async def _bury(self, portal_id: int) -> int:
        """Delete the account's dead letters for good, and return how many there were."""
        stream, start, count = f"{self._prefix}calls:dead", "-", 0
        while True:
            answer = await self._redis.xrange(stream, start, "+", LETTERS_AT_ONCE)
            letters = cast("list[tuple[bytes, Mapping[bytes, bytes]]]", answer)
            if not letters:
                return count
            wanted = str(portal_id).encode()
            mine = [one for one, fields in letters if fields.get(b"portal_id") == wanted]
            if mine:
                await command(self._redis, "XDEL", stream, *mine)
            count += len(mine)
            start = f"({letters[-1][0].decode()}"
