"""Where the journal's reading stands: who reads it, and from which offset it goes on.

Keys, on the ledger's Redis, after the namespace:

- `journal:<client id>`: hash: offset, of the last file that is in the ledger, absent = none;
  moved_at, when that was; holder and until, the worker that reads and until when. Times are Redis'
  epoch ms.
- `journal:<client id>:subscriptions`: hash, id of a subscription that we made -> what it was made
  for, JSON (`jobs.journal.subscriptions`)
"""

from typing import cast

from callstream_client import keys
from redis.asyncio import Redis

from jobs.redis import command
from jobs.scripts import Script
from jobs.timing import Timing


class Place:
    """One app's place in the journal; raises `redis.RedisError` when Redis is away."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing, client_id: str) -> None:
        """Use `redis`, whose keys all start with `namespace` and a colon (none if it is empty)."""
        self._redis = redis
        self._lease_ms = timing.journal_lease_ms
        self.key = f"{keys.prefix(namespace)}journal:{client_id}"
        """The hash that says where the reading stands."""
        self._ours = f"{self.key}:subscriptions"
        self._hold = Script(redis, "journal/hold")
        self._move = Script(redis, "journal/move")
        self._leave = Script(redis, "journal/leave")

    async def hold(self, worker: str) -> str | None:
        """Be the reader, or stay it; return the offset to go on from, None if another reads.

        The offset is empty as long as no file was read.
        """
        answer = await self._hold([self.key], [worker, self._lease_ms])
        return None if answer is None else cast("bytes", answer).decode()

    async def move(self, before: str, after: str) -> bool:
        """Go on from `after` next; False, and nothing is done, if somebody has moved on."""
        return await self._move([self.key], [before, after]) == 1

    async def leave(self, worker: str) -> None:
        """Be the reader no longer."""
        await self._leave([self.key], [worker])

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
