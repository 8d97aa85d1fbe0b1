"""Whether a Redis has room for more: by what it says of its memory, once a second.

A full Redis with `noeviction` refuses whatever needs memory, in the middle of things. So it is not
filled: from 90 % of its limit on the front door answers 503 and workers claim nothing, until it is
below 85 % again. What is left is room for tokens, verdicts and operators.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, cast

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.redis import command
from jobs.timing import Timing

TIGHT: Final = 0.90
"""The share of its memory from which on a Redis takes no more."""
ROOMY: Final = 0.85
"""The share below which it takes more again."""
WORD: Final = "redis-nearly-full"
"""Why something is not taken; in answers, probes and logs."""
_ASK_S: Final = 5.0

_log = structlog.get_logger(__name__)


class Memory(msgspec.Struct, frozen=True):
    """What a Redis says of its memory, in bytes."""

    used: int = 0
    limit: int = 0
    """`maxmemory`, or else what its machine has; 0 = it does not say."""

    def is_tight(self, *, before: bool) -> bool:
        """Tell whether there is too little room, given whether there was too little before."""
        return self.limit > 0 and self.used >= (ROOMY if before else TIGHT) * self.limit


def memory_of(info: Mapping[str, object]) -> Memory:
    """Return what the answer to `INFO memory` says."""
    used, limit, machine = (
        int(str(info.get(name, 0))) for name in ("used_memory", "maxmemory", "total_system_memory")
    )
    return Memory(used, limit or machine)


async def ask_memory(redis: Redis) -> Memory:
    """Return a Redis' memory; raises `redis.RedisError` or OSError when it does not answer."""
    async with asyncio.timeout(_ASK_S):
        return memory_of(cast("Mapping[str, object]", await command(redis, "INFO", "memory")))


class Headroom:
    """What one process knows of the room in one Redis."""

    def __init__(self, redis: Redis, holds: str, timing: Timing) -> None:
        """Ask `redis`, which holds the `ledger` or the `streams`."""
        self._redis = redis
        self._holds = holds
        self._every_s = timing.probe_ms / 1000
        self._tight = False

    @property
    def tight(self) -> bool:
        """Whether nothing that takes room may begin; False before Redis was asked."""
        return self._tight

    async def look(self) -> Memory:
        """Ask once; a Redis that does not answer is left to those who need it.

        Raises:
            redis.RedisError, OSError: it does not answer.
        """
        memory = await ask_memory(self._redis)
        tight = memory.is_tight(before=self._tight)
        if tight != self._tight:
            self._tight = tight
            say = _log.warning if tight else _log.info
            say(
                "Redis is nearly full: nothing more is taken" if tight else "Redis has room again",
                holds=self._holds,
                used=memory.used,
                limit=memory.limit,
            )
        return memory

    async def watch(self, relieve: Callable[[], Awaitable[None]] | None = None) -> None:
        """Ask once a second until cancelled; `relieve` what is tight, if there is a way."""
        while True:
            try:
                await self.look()
                if self._tight and relieve is not None:
                    await relieve()
            except (RedisError, OSError, TimeoutError):  # others tell of its absence
                pass
            await asyncio.sleep(self._every_s)
