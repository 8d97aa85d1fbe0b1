"""Holds back when many calls of a portal vanish unannounced: a wrong token looks like that.

Key, on the ledger's Redis, after the namespace:

- `vanished:<portal>`: sorted set, call that is held or would be published as gone without any
  notification -> when that was last found, in Redis' epoch ms
"""

from collections.abc import Collection

import msgspec
from redis.asyncio import Redis

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


def is_suspicious(vanished: int, known: int) -> bool:
    """Tell whether so many calls, of so many known ones, are more than an account loses at once."""
    return vanished > MANY and vanished > SHARE * known
