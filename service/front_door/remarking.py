"""Marks calls, remembers that, and marks them again when Redis has lost them.

What Redis has acknowledged it may still lose: an append-only file that was not synced, a replica
that lagged when it became the primary, a server that came back empty. HubSpot has its `204` and
will not send again; so the process that gave it remembers for a while.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from redis.exceptions import RedisError

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Bell, Mark
from jobs.live.verdicts import doubling
from jobs.outliving import outlive
from jobs.presence import Presence
from jobs.pulse.pulse import Pulse
from jobs.timing import Timing
from service.front_door.memory import Memory, Told
from service.front_door.ringing import Ringer

_log = structlog.get_logger(__name__)


class Remarking:
    """The ledger as the front door uses it: what it takes in, it does not lose with Redis.

    Marks may be made twice, which changes nothing.
    """

    def __init__(
        self, ledger: Ledger, again: Ledger, pulse: Pulse, ringer: Ringer, timing: Timing
    ) -> None:
        """Mark through `ledger`, and after a loss through `again`; both count in `pulse`.

        They differ because `ledger` may be on a connection that promises something of its last
        write (`service.front_door.durability`).
        """
        self._ledger = ledger
        self._again = again
        self._pulse = pulse
        self._ringer = ringer
        self._look_s = timing.look_ms / 1000
        self._deadline_s = timing.mark_deadline_ms / 1000
        self._presence = Presence("ledger")
        self._lost: deque[tuple[Told, bool]] = deque()
        self.memory = Memory(timing.remembered_ms / 1000)
        """What was acknowledged lately."""

    async def mark(
        self, marks: Sequence[Mark], dead_letters: Sequence[DeadLetter] = ()
    ) -> list[Bell]:
        """Mark the calls, as `Ledger.mark` does, and remember that for `Timing.remembered_ms`."""
        packed, letters = self._ledger.pack(marks, dead_letters)
        bells = await self._ledger.mark_packed(packed, letters)
        self.memory.keep(Told(time.monotonic(), packed, letters))
        return bells

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Watch Redis while inside."""
        task = asyncio.create_task(outlive("remarking", self._watch_forever), name="remarking")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch_forever(self) -> None:
        while True:
            try:
                await self._watch()
            except (RedisError, OSError, TimeoutError) as error:
                self._presence.away(error)
                pause_s = doubling(self._presence.failures, 50, 1_000) / 1000
                await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads
                continue
            self._presence.back()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await self._pulse.trouble.wait()

    async def _watch(self) -> None:
        """Look whether Redis has kept all that it was told, and tell it again if it has not."""
        at = time.monotonic()
        async with asyncio.timeout(self._deadline_s):
            await self._pulse.look()
        finding = self._pulse.finding()
        if finding != "kept":
            self._recall(is_lost=finding == "lost")
        while self._lost:
            told, was_lost = self._lost[0]
            await self._tell_again(told, was_lost=was_lost)
            self._lost.popleft()
        if finding == "kept":
            self.memory.confirmed(at)

    def _recall(self, *, is_lost: bool) -> None:
        """Take all that is remembered for lost."""
        remembered = self.memory.take()
        self._lost.extend((told, is_lost) for told in remembered)
        if is_lost:
            _log.warning("Redis lost data: marking again", commits=len(remembered))

    async def _tell_again(self, told: Told, *, was_lost: bool) -> None:
        """Make a commit again; dead letters that may still be there would be there twice."""
        letters = told.letters if was_lost else ()
        async with asyncio.timeout(self._deadline_s):
            bells = await self._again.mark_packed(told.marks, letters)
        # What was only doubted keeps its age: it is not to be made again and again.
        at = time.monotonic() if was_lost else told.at
        self.memory.keep(Told(at, told.marks, told.letters))
        self._ringer.ring_soon(bells)
