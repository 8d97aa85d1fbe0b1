"""Backfills of a whole deployment of real processes."""

import contextlib
from collections.abc import AsyncGenerator

from jobs.backfill.operate import Backfills
from jobs.backfill.record import UNFINISHED, Reads, Run
from jobs.queue import Turns, connect_queue
from jobs.timing import Timing
from tests.support.fleet import Fleet
from tests.support.waiting import until

_BULK = 50_000


class FleetBackfills:
    """The backfills of a fleet's account; made by `backfills_of`."""

    def __init__(self, fleet: Fleet, backfills: Backfills) -> None:
        self._fleet = fleet
        self._backfills = backfills

    async def import_calls(self, count: int) -> None:
        """Log so many calls in the past, of which no notification tells."""
        for done in range(0, count, _BULK):
            await self._fleet.hubspot.bulk(min(_BULK, count - done))

    async def start(self, reads: Reads = "live", *, ceiling: int = 0) -> Run:
        """Start a run, or find the unfinished one."""
        started = await self._backfills.start(self._fleet.portal_id, reads, ceiling=ceiling)
        return started.run

    async def look(self, run: Run) -> Run:
        """Return the run as it is now."""
        return await self._backfills.find(run.id)

    async def pages(self, run: Run, count: int, *, timeout_s: float = 30) -> None:
        """Wait until the run has done so many pages, or has ended."""

        async def done() -> bool:
            now = await self.look(run)
            return now.pages >= count or now.state not in UNFINISHED

        await until(done, timeout_s=timeout_s)

    async def ended(self, run: Run, *, timeout_s: float) -> Run:
        """Wait until the run has ended, and return it."""

        async def has_ended() -> bool:
            return (await self.look(run)).state not in UNFINISHED

        await until(has_ended, timeout_s=timeout_s, every_s=0.05)
        return await self.look(run)


@contextlib.asynccontextmanager
async def backfills_of(fleet: Fleet, scale: float = 1.0) -> AsyncGenerator[FleetBackfills]:
    """Operate a fleet's backfills until the block ends; `scale` is its TIMING_SCALE."""
    namespace, timing = fleet.plan.namespace, Timing().scaled(scale)
    queue = connect_queue(fleet.server.url, namespace, "collections")
    try:
        backfills = Backfills(fleet.redis, namespace, timing, Turns(queue, namespace))
        yield FleetBackfills(fleet, backfills)
    finally:
        await queue.aclose(close_connection_pool=True)
