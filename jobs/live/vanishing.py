"""Holds back when many calls of a portal vanish unannounced: a wrong token looks like that.

Key, on the ledger's Redis, after the namespace:

- `vanished:<portal>`: sorted set, call that is held or would be published as gone without any
  notification -> when that was last found, in Redis' epoch ms
- `vanished:<portal>:believed`: exists while an operator has said that they are really gone
"""

from collections.abc import Collection

import msgspec
from redis.asyncio import Redis

from jobs.redis import command
from jobs.timing import Timing

MANY = 50
"""So many calls may vanish unannounced within `gone_held_ms`, whatever their share."""
SHARE = 0.2
"""So large a share of a portal's known calls may."""


class Vanishing:
    """Counts, per portal, the calls that vanish unannounced."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing) -> None:
        """Use `redis`, whose keys all start with `namespace` and a colon (none if it is empty)."""
        self._redis = redis
        self._prefix = f"{namespace}:vanished:" if namespace else "vanished:"
        self._window_ms = timing.gone_held_ms

    async def note(self, portal_id: int, call_ids: Collection[str], now: int) -> int:
        """Note the calls and return how many vanished within the last `gone_held_ms`.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        key = f"{self._prefix}{portal_id}"
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zadd(key, dict.fromkeys(call_ids, now))
        pipeline.zremrangebyscore(key, "-inf", now - self._window_ms)
        pipeline.zcard(key)
        pipeline.pexpire(key, 2 * self._window_ms)
        answers = await pipeline.execute()
        return msgspec.convert(answers[2], int)

    async def believe(self, portal_id: int, for_ms: int) -> None:
        """Take the portal's calls for gone that vanish within the next `for_ms`, however many.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        key = f"{self._prefix}{portal_id}"
        await command(self._redis, "SET", f"{key}:believed", 1, "PX", for_ms)
        await command(self._redis, "UNLINK", key)

    async def is_believed(self, portal_id: int) -> bool:
        """Tell whether an operator has said so; raises `redis.RedisError` as above."""
        return bool(await command(self._redis, "EXISTS", f"{self._prefix}{portal_id}:believed"))


def is_suspicious(vanished: int, known: int) -> bool:
    """Tell whether so many calls, of so many known ones, are more than an account loses at once."""
    return vanished > MANY and vanished > SHARE * known
