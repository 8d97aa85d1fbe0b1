"""A turn's hold on its run: every change goes through it, and it ends when somebody else has it."""

from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from jobs.backfill.record import UNFINISHED, Change, Run, Value
from jobs.backfill.runs import Runs, Turn
from jobs.ledger.deadletters import DeadLetter
from jobs.timing import Timing

SHORT_MS: Final = 1_000
"""A run that waits for less than this is still called running."""

_log = structlog.get_logger(__name__)


class LostError(Exception):
    """The run was cancelled, or another turn has taken it over: it is no longer ours to change."""


class Rest(msgspec.Struct, frozen=True):
    """How long a run waits before its next turn, and why."""

    ms: int = 0
    why: str = ""
    error: str = ""
    """What went wrong; empty = nothing did."""


class Hold:
    """One turn of one run; every method raises `redis.RedisError` when Redis is away."""

    def __init__(self, runs: Runs, turn: Turn, timing: Timing) -> None:
        """Hold the run of `turn`."""
        self._runs = runs
        self._timing = timing
        self.run: Run = turn.run
        self.now: int = turn.now
        """Redis' epoch ms of the last change."""

    async def change(self, change: Change, letters: Sequence[DeadLetter] = ()) -> None:
        """Change the run and hold it for longer; a run that was paused meanwhile is changed too.

        Raises:
            LostError: nothing was changed.
        """
        lease_ms = self._timing.backfill_lease_ms
        await self._amend(change, letters, lease_ms=lease_ms, forgotten_ms=lease_ms)

    async def end(self, change: Change, letters: Sequence[DeadLetter] = ()) -> None:
        """Change the run into one that needs no more turns.

        Raises:
            LostError: nothing was changed.
        """
        left = {**change.set, "holder": "", "lease_until": 0}
        await self._amend(Change(set=left, add=change.add), letters)

    async def let_go(self, rest: Rest) -> bool:
        """Give the run back until it has rested; False if it needs no more turns."""
        fields: dict[str, Value] = {
            "state": "waiting" if rest.ms >= SHORT_MS else "running",
            "why": rest.why,
            "holder": "",
            "lease_until": 0,
        }
        if rest.error:
            fields |= {"error": rest.error, "attempts": self.run.attempts + 1}
        amended = await self._runs.amend(
            self.run,
            Change(set=fields),
            later={"due_at": rest.ms},
            forgotten_ms=rest.ms + self._timing.bell_ms,
        )
        return amended.is_done

    async def _amend(
        self,
        change: Change,
        letters: Sequence[DeadLetter],
        *,
        lease_ms: int | None = None,
        forgotten_ms: int | None = None,
    ) -> None:
        amended = await self._runs.amend(
            self.run,
            change,
            states=UNFINISHED,
            later={} if lease_ms is None else {"lease_until": lease_ms},
            forgotten_ms=forgotten_ms,
            letters=letters,
        )
        if not amended.is_done or amended.run is None:
            raise LostError
        self.run, self.now = amended.run, amended.now
