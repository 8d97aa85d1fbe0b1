"""The job: one worker's turn at one account's reconciliation, page by page."""

import asyncio
import secrets
import time
from typing import Final

import structlog
from msgspec.structs import replace
from redis.exceptions import RedisError

from jobs.backfill.failing import PAGE_ATTEMPTS
from jobs.context import Context
from jobs.hubspot.errors import PortalFailure, RecordRefused
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.messages import Door
from jobs.ledger.wire import BATCH
from jobs.live.fetch import HAND_BACK_S
from jobs.live.outcomes import portal_outcome
from jobs.reconciliation.listing import begin_listings, list_page, look_up_unnamed
from jobs.reconciliation.runs import (
    Rhythm,
    Run,
    Standing,
    due_in,
    ended,
    next_run,
    watermark_after,
)
from jobs.reconciliation.searching import search_page
from jobs.reconciliation.tools import Tools
from jobs.reconciliation.windows import DisorderError
from jobs.stream.stream import StaleProjectionError

MOST_WAITING: Final = 2 * BATCH
"""With more calls of the account waiting to be read, no more are looked for: live work goes first,
and what a notification marks must not stand behind thousands that were marked here."""

_log = structlog.get_logger(__name__)


async def reconcile_calls(context: Context, portal_id: int) -> None:
    """Take one turn at the account's reconciliation; another worker's turn is left alone.

    A job that waited until its account was closed, or removed, leaves no trace of it.

    Raises:
        redis.RedisError: Redis is away; the turn is taken up again when it is back.
    """
    if not (await context.ledger.door(portal_id)).open:
        return
    holder = secrets.token_hex(8)
    held = await context.reconciliations.take(portal_id, holder)
    if held is None:
        return
    turn = _Turn(context, portal_id, holder, held.standing)
    try:
        await turn.work()
    except asyncio.CancelledError:
        await asyncio.shield(turn.hand_back())
        raise


class _Turn:
    """One turn; everything it has done is written down before it does more."""

    def __init__(self, context: Context, portal_id: int, holder: str, standing: Standing) -> None:
        self._context = context
        self._portal_id = portal_id
        self._holder = holder
        self._standing = standing

    async def work(self) -> None:
        """Move from page to page until the run ends, has to wait, or the turn has lasted."""
        ends_at = time.monotonic() + self._context.timing.collection_turn_ms / 1000
        again_ms = await self._move()
        while again_ms is None:
            lasts = time.monotonic() < ends_at
            if not await self._keep(None if lasts else 0) or not lasts:
                return
            again_ms = await self._move()
        await self._keep(again_ms)

    async def hand_back(self) -> None:
        """Let another worker go on at once."""
        try:
            async with asyncio.timeout(HAND_BACK_S):
                await self._keep(0)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("turn not handed back", portal_id=self._portal_id, error=repr(error))

    async def _keep(self, again_ms: int | None) -> bool:
        run = self._standing.run or self._standing.last
        return await self._context.reconciliations.keep(
            self._portal_id,
            self._holder,
            self._standing,
            again_ms=again_ms,
            begun=run.id if run else "",
        )

    async def _move(self) -> int | None:
        """Do the next page; return in how many ms to go on, None to go on at once."""
        context, timing = self._context, self._context.timing
        door = await context.ledger.door(self._portal_id)
        if not door.open:
            return self._rhythm(door).search_ms
        run = self._standing.run or self._begin(door)
        if run is None:
            return max(1, due_in(self._standing, door.now, self._rhythm(door)))
        if door.asleep_until > door.now:
            return self._wait(run, door.asleep_until - door.now, door.why)
        if door.waiting > MOST_WAITING:
            return self._wait(run, timing.collection_yield_ms, "live work goes first")
        return await self._try(run, door)

    async def _try(self, run: Run, door: Door) -> int | None:
        """Do one page of the run's step, and say what is to be done if that fails."""
        context, timing = self._context, self._context.timing
        try:
            return await self._step(run, door)
        except PortalFailure as failure:
            if failure.kind == "undecodable" and run.failures + 1 >= PAGE_ATTEMPTS:
                await self._set_aside(run, failure)
                self._end(run, door.now, failed=str(failure))
                return self._rhythm(door).search_ms
            outcome = portal_outcome(failure, run.failures, timing)
            failed = replace(run, failures=run.failures + (outcome.kind == "failed"))
            return self._wait(failed, outcome.sleep_ms, str(failure))
        except StaleProjectionError as error:
            context.follow_projection(self._portal_id, error.generation)
            return self._wait(run, timing.collection_yield_ms, "the wanted properties change")
        except (RecordRefused, DisorderError) as error:
            self._end(run, door.now, failed=str(error))
            return self._rhythm(door).search_ms

    def _begin(self, door: Door) -> Run | None:
        run_id = secrets.token_hex(8)
        run = next_run(self._standing, self._portal_id, run_id, door.now, self._rhythm(door))
        self._standing = replace(self._standing, run=run)
        return run

    async def _set_aside(self, run: Run, failure: PortalFailure) -> None:
        """Keep the page that cannot be read: a listing does not go on behind it."""
        letter = DeadLetter(
            reason="undecodable-page",
            error=f"{failure}; {run.step} of reconciliation {run.id}, after {run.after!r}",
            raw=failure.raw,
            origin="reconciliation",
            portal_id=self._portal_id,
            attempts=run.failures + 1,
        )
        await self._context.ledger.mark([], [letter])

    async def _step(self, run: Run, door: Door) -> int | None:
        """Do one page of the run's step.

        Raises:
            HubSpotError, DisorderError, StaleProjectionError: as the steps do.
            redis.RedisError: Redis is away.
        """
        context = self._context
        projection = await context.projection(self._portal_id)
        tools = Tools(context, self._portal_id, door, projection)
        match run.step:
            case "search":
                moved = await search_page(tools, run)
            case "archived" if not run.clocks:
                moved = await begin_listings(tools, run)
            case "archived" | "live":
                if projection.fresh:
                    # Every digest is about to change: compared now, all calls would differ.
                    return self._wait(run, context.timing.collection_yield_ms, "properties change")
                moved = await list_page(tools, run)
            case "unnamed":
                moved = await look_up_unnamed(tools, run)
            case _:
                self._end(run, door.now)
                return max(1, due_in(self._standing, door.now, self._rhythm(door)))
        self._moved(replace(moved, state="running", why="", failures=0))
        return None

    def _moved(self, run: Run) -> None:
        watermark = watermark_after(self._standing, run)
        self._standing = replace(self._standing, run=run, watermark=watermark)

    def _wait(self, run: Run, wait_ms: int, why: str) -> int:
        self._standing = replace(self._standing, run=replace(run, state="waiting", why=why))
        return max(1, wait_ms)

    def _end(self, run: Run, now: int, *, failed: str = "") -> None:
        last = ended(run, now, failed=failed)
        self._standing = replace(self._standing, run=None, last=last)
        if not failed:
            self._standing = replace(self._standing, searched_at=run.started_at)
            if run.kind == "full":
                self._standing = replace(self._standing, round_at=run.started_at)
        log = _log.warning if failed else _log.info
        log(
            "reconciliation failed" if failed else "reconciled",
            portal_id=self._portal_id,
            kind=run.kind,
            seen=run.counts.seen,
            marked=run.counts.marked,
            requests=run.counts.requests,
            took_ms=now - run.started_at,
            **({"why": failed} if failed else {}),
        )

    def _rhythm(self, door: Door) -> Rhythm:
        settings = self._context.settings
        return Rhythm(
            settings.reconcile_every * 1000, settings.full_sweep_every * 1000, door.connected_at
        )
