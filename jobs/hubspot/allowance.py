"""What is left of an account's requests at this moment, to be shown: it grants nothing.

Reads the keys that `jobs.hubspot.budget` lays out.
"""

from typing import cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.redis import command
from jobs.timing import Timing


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of an account's burst window, and of its day where HubSpot tells."""

    limit: int
    """HubSpot's, in its window; until an answer has told it, what the settings say."""
    left: int
    """The limit less what was granted within the window, others' requests not seen."""
    left_today: int | None = None


async def allowance(
    redis: Redis, namespace: str, timing: Timing, portal_id: int, rate_limit: int
) -> Allowance:
    """Return what is left of the account's requests.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    key = f"{keys.prefix(namespace)}budget:{portal_id}"
    held = await command(redis, "HMGET", key, "max", "interval", "left")
    limit, window, today = [
        None if value is None else int(value) for value in cast("list[bytes | None]", held)
    ]
    seconds, micros = await redis.time()
    now = seconds * 1000 + micros // 1000
    since = now - (window or timing.budget_window_ms)
    used = cast("int", await command(redis, "ZCOUNT", f"{key}:burst", since, "+inf"))
    most = limit or rate_limit
    return Allowance(
        limit=most,
        left=max(0, most - used),
        left_today=None if today is None else max(0, today),
    )
