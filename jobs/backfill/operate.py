"""What operators do with backfills: start, look, pause, resume, cancel."""

from collections.abc import Collection
from typing import Final, Literal

from redis.asyncio import Redis

from jobs.backfill.record import READS, RESUMABLE, UNFINISHED, Change, Reads, Run, State, Value
from jobs.backfill.runs import Runs, Started
from jobs.ledger.ledger import Ledger
from jobs.queue import Turns
from jobs.timing import Timing

ON_CONNECT: Final[dict[Literal["none", "live", "all"], tuple[Reads, ...]]] = {
    "none": (),
    "live": ("live",),
    "all": READS,
}
"""What BACKFILL_ON_CONNECT means: the runs that an account's first connection starts."""


class NotConnectedError(Exception):
    """The account is not connected, so that nothing can be read of it."""

    def __init__(self, portal_id: int) -> None:
        super().__init__(f"account {portal_id} is not connected")


class NoSuchRunError(Exception):
    """There is no such backfill, or a later one of its kind has taken its place."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no backfill {run_id}")


class WrongStateError(Exception):
    """The backfill is in a state in which that cannot be done."""

    def __init__(self, run: Run, wanted: str) -> None:
        super().__init__(f"backfill {run.id} is {run.state}: it cannot be {wanted}")


class Backfills:
    """The backfills of one deployment; raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing, turns: Turns) -> None:
        """Keep the runs in `redis`, under `namespace`, and ask for their turns by `turns`."""
        self._ledger = Ledger(redis, namespace, timing)
        self._turns = turns
        self._timing = timing
        self.runs = Runs(redis, namespace, timing)

    async def start(self, portal_id: int, reads: Reads, *, ceiling: int = 0) -> Started:
        """Start a run, or return the unfinished one of its kind.

        Args:
            portal_id: of a connected account.
            reads: which of its calls.
            ceiling: the most requests per 10 s that the run may make; 0 = what the budget leaves.

        Raises:
            NotConnectedError: nothing can be read of the account.
        """
        if not (await self._ledger.door(portal_id)).open:
            raise NotConnectedError(portal_id)
        started = await self.runs.start(portal_id, reads, ceiling=ceiling)
        if started.is_new:
            await self._turns.ask(portal_id, reads)
        return started

    async def find(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            NoSuchRunError: there is none of that id.
        """
        run = await self.runs.find(run_id)
        if run is None:
            raise NoSuchRunError(run_id)
        return run

    async def pause(self, run_id: str) -> Run:
        """Let a run rest after the page in hand; a paused one stays so.

        Raises:
            NoSuchRunError, WrongStateError: there is none, or it has ended.
        """
        return await self._turn_to(run_id, "paused", UNFINISHED)

    async def cancel(self, run_id: str) -> Run:
        """End a run where it is; a cancelled one stays so.

        Raises:
            NoSuchRunError, WrongStateError: there is none, or it has finished.
        """
        return await self._turn_to(run_id, "cancelled", (*UNFINISHED, "failed"))

    async def resume(self, run_id: str, *, ceiling: int | None = None) -> Run:
        """Let a paused or failed run go on from its last page.

        Args:
            run_id: which.
            ceiling: its new ceiling in requests per 10 s; None leaves it.

        Raises:
            NoSuchRunError, WrongStateError: there is none, or it is neither paused nor failed.
        """
        run = await self.find(run_id)
        fields: dict[str, Value] = {
            "state": "queued",
            "why": "",
            "holder": "",
            "lease_until": 0,
            "attempts": 0,
            "ended_at": 0,
        }
        if ceiling is not None:
            fields["ceiling"] = ceiling
        amended = await self.runs.amend(
            run,
            Change(set=fields),
            states=RESUMABLE,
            expect=("id",),
            later={"due_at": 0},
            forgotten_ms=self._timing.bell_ms,
        )
        if not amended.is_done or amended.run is None:
            raise WrongStateError(amended.run or run, "resumed")
        await self._turns.ask(run.portal_id, run.reads)
        return amended.run

    async def _turn_to(
        self,
        run_id: str,
        state: Literal["paused", "cancelled"],
        states: Collection[State],
    ) -> Run:
        run = await self.find(run_id)
        if run.state == state:
            return run
        amended = await self.runs.amend(
            run,
            Change(set={"state": state, "why": ""}),
            states=states,
            expect=("id",),
            later={"ended_at": 0} if state == "cancelled" else {},
        )
        if not amended.is_done or amended.run is None:
            raise WrongStateError(amended.run or run, state)
        return amended.run
