"""The ledger: which calls may have changed and who is reading them."""

from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from jobs.deadletters import DeadLetter
from jobs.hints import Hint
from jobs.timing import Timing


class Mark(msgspec.Struct, frozen=True):
    """A call that may have changed, and what was said about it."""

    portal_id: int
    call_id: str
    hints: tuple[Hint, ...]


class Bell(msgspec.Struct, frozen=True, array_like=True):
    """A doorbell to ring for a portal."""

    portal_id: int
    bell_id: str
    delay_ms: int


class Ledger:
    """The ledger on one Redis."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing) -> None:
        """Use `redis`, whose keys all start with `namespace` and a colon (none if it is empty)."""
        self._redis = redis
        self._prefix = f"{namespace}:" if namespace else ""
        self._timing = timing

    async def mark(
        self, marks: Sequence[Mark], dead_letters: Sequence[DeadLetter] = ()
    ) -> list[Bell]:
        """Mark the calls and set the dead letters aside, all in one script call.

        Returns the doorbells that must now be rung.

        Raises:
            redis.RedisError: nothing, or all of it, was applied; marks may be repeated.
        """
        raise NotImplementedError
