"""Rings doorbells in the background, so that ringing neither delays nor fails an answer."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from jobs.ledger.messages import Bell
from jobs.log_limit import Quiet
from jobs.timing import Timing

_log = structlog.get_logger(__name__)

_MOST = 10_000


class Rings(Protocol):
    """Who rings doorbells: `jobs.queue.Doorbells`."""

    async def ring(self, bells: Sequence[Bell]) -> None:
        """Ring the doorbells."""
        ...


class Ringer:
    """One task that rings what it is given, in the order given.

    A doorbell that gets lost costs latency only, since the workers' sweep finds what it was for:
    beyond 10,000 waiting ones, new ones are dropped.
    """

    def __init__(self, rings: Rings, timing: Timing) -> None:
        self._rings = rings
        self._timeout_s = timing.bell_ms / 1000
        self._bells: list[Bell] = []
        self._wanted = asyncio.Event()
        self._closing = False
        self._quiet = Quiet()
        self.dropped = 0
        """Doorbells that were never rung since the start."""

    def ring_soon(self, bells: Sequence[Bell]) -> None:
        """Have the doorbells rung, without waiting for it."""
        room = max(0, _MOST - len(self._bells))
        self._bells += bells[:room]
        self.dropped += len(bells[room:])
        if self._bells:
            self._wanted.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Ring while inside; what is waiting on the way out is still rung, within a bell's time."""
        task = asyncio.create_task(self._ring_forever(), name="ringer")
        try:
            yield
        finally:
            self._closing = True
            self._wanted.set()
            await asyncio.wait([task], timeout=2 * self._timeout_s)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _ring_forever(self) -> None:
        while not self._closing or self._bells:
            await self._wanted.wait()
            await self._ring()

    async def _ring(self) -> None:
        bells, self._bells = self._bells, []
        if not self._closing:
            self._wanted.clear()
        if not bells:
            return
        try:
            # After that long the ledger takes them for lost and lets the sweep ring others.
            async with asyncio.timeout(self._timeout_s):
                await self._rings.ring(bells)
        except Exception as error:  # noqa: BLE001 - the task must outlive whatever ringing meets
            self.dropped += len(bells)
            held_back = self._quiet.speak("not rung")
            if held_back is not None:
                _log.warning(
                    "doorbells not rung",
                    count=len(bells),
                    error=repr(error),
                    more_like_this=held_back,
                )
