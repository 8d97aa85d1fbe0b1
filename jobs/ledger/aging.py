"""Lets go of what has waited too long: marks of accounts that nobody connects, old dead letters.

An account that is unknown or disconnected keeps its marks for `MARK_MAX_AGE`, counted from the
first mark of each call. What is given up is logged and counted, not kept one by one: there may be
any number of them. An account that was connected once is compared with HubSpot as a whole when it
comes back; a new one brings its calls by a backfill. Marks of a connected account wait for as long
as it takes.

Keys, on the ledger's Redis, after the namespace:

- `ledger:given-up`: hash: portal -> how many of its marks were given up, `<portal>:at` -> when some
  were last, in Redis' epoch ms
"""

from collections.abc import Mapping
from typing import Final, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.ledger.ledger import Ledger
from jobs.ledger.wire import decode
from jobs.redis import command

AT_ONCE: Final = 1_000
"""Marks that are given up in one step."""


class GivenUp(msgspec.Struct, frozen=True, array_like=True):
    """What one step gave up."""

    marks: int
    was_connected: bool
    """Whether the account was connected once."""


class Aging:
    """What grows old on the ledger's Redis; raises `redis.RedisError` when that is away."""

    def __init__(self, redis: Redis, namespace: str, ledger: Ledger) -> None:
        self._redis = redis
        self._ledger = ledger
        prefix = keys.prefix(namespace)
        self._letters = f"{prefix}calls:dead"
        self._counts = f"{prefix}ledger:given-up"
        self._expire = ledger.script("ledger/expire")

    async def give_up(self, portal_id: int, max_age_ms: int) -> GivenUp:
        """Give up the account's marks that are older than that, unless it is connected."""
        step = GivenUp(AT_ONCE, was_connected=False)
        total = 0
        while step.marks == AT_ONCE:
            answer = await self._expire([self._counts], [str(portal_id), max_age_ms, AT_ONCE])
            step = decode(answer, GivenUp)
            total += step.marks
        return GivenUp(total, step.was_connected)

    async def drop_letters(self, max_age_ms: int) -> int:
        """Delete the dead letters that are older than that, and return how many there were."""
        seconds, micros = await self._redis.time()
        oldest = seconds * 1000 + micros // 1000 - max_age_ms
        return cast(
            "int", await command(self._redis, "XTRIM", self._letters, "MINID", max(0, oldest))
        )

    async def given_up(self) -> dict[int, int]:
        """Return how many marks were given up, by account."""
        answer = await command(self._redis, "HGETALL", self._counts)
        counts = cast("Mapping[bytes, bytes]", answer)
        return {int(name): int(count) for name, count in counts.items() if name.isdigit()}
