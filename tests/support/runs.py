"""Backfills in the test's own process, turn by turn."""

import itertools
from typing import Final

from jobs.backfill.collect import collect_calls
from jobs.backfill.operate import Backfills
from jobs.backfill.record import ACTIVE, Reads, Run
from jobs.redis import command
from tests.support.desk import Desk

MOST_TURNS: Final = 200

_turns = itertools.count(1)


class Collector:
    """The backfills of a desk's account; nothing happens between the turns that a test gives."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def backfills(self) -> Backfills:
        """What operators have, at the desk's present timing."""
        context = self._desk.context
        return Backfills(
            self._desk.redis, context.settings.namespace, context.timing, context.turns
        )

    async def start(self, reads: Reads = "live", *, ceiling: int = 0) -> Run:
        """Start a run, or return the unfinished one."""
        started = await self.backfills.start(self._desk.portal_id, reads, ceiling=ceiling)
        return started.run

    async def turn(self, reads: Reads = "live") -> Run:
        """Give the run one turn and return it afterwards."""
        turn = f"turn-{next(_turns)}"
        await collect_calls(self._desk.context, self._desk.portal_id, reads, turn)
        return await self.latest(reads)

    async def latest(self, reads: Reads = "live") -> Run:
        """Return the latest run of its kind."""
        run = await self._desk.context.runs.latest(self._desk.portal_id, reads)
        assert run is not None
        return run

    async def tamper(self, field: str, value: str, reads: Reads = "live") -> None:
        """Set a field of the run's record behind its back."""
        key = f"{self._desk.context.settings.namespace}:backfills:{self._desk.portal_id}:{reads}"
        await command(self._desk.redis, "HSET", key, field, value)

    async def hurry(self, reads: Reads = "live") -> None:
        """Let a run that waits want its turn now."""
        await self.tamper("due_at", "0", reads)

    async def run(self, reads: Reads = "live") -> Run:
        """Start a run and give it turns, without its waits, until it needs no more."""
        run = await self.start(reads)
        for _ in range(MOST_TURNS):
            if run.state not in ACTIVE:
                return run
            await self.hurry(reads)
            run = await self.turn(reads)
        msg = f"the run did not end: {run}"
        raise AssertionError(msg)
