"""The collecting job: a turn of a backfill, page after page of HubSpot's listing to the streams.

A page goes tickets, read, publish, marks, and only then the cursor moves, by compare-and-set: the
page of a turn that ends anywhere is read again, and all that was published is unchanged then. A
turn lasts `Timing.backfill_turn_ms`, or until the run must wait; it never waits itself, but asks
for the next turn.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError

from jobs.backfill.failing import after_bad_page, after_failure, told
from jobs.backfill.hold import Hold, LostError, Rest
from jobs.backfill.pages import cost_of, read_page
from jobs.backfill.publication import letters, publish_page
from jobs.backfill.record import ACTIVE, Change, Reads, goes_in_a_circle, moved
from jobs.context import Context
from jobs.headroom import WORD
from jobs.hubspot.errors import HubSpotError, PortalFailure, RecordRefused
from jobs.live.publishing import Setting, take_every_ticket, tickets_seen
from jobs.stream.projection import Projection
from jobs.stream.stream import StaleProjectionError

HAND_BACK_S: Final = 2.0
"""How long a turn that is told to stop may take to give the run back."""

_NO_ROOM: Final = Rest(5_000, WORD)
_UNTOLD: Final = frozenset({"forbidden", "no_such_path", "undecodable"})
"""Failures by which HubSpot does not say whose a token is, and would not the next time."""

_log = structlog.get_logger(__name__)


class _Ground(msgspec.Struct, frozen=True):
    """What the pages of one turn have in common."""

    projection: Projection
    dispositions: Mapping[str, str]
    connected_at: int


async def collect_calls(context: Context, portal_id: int, reads: Reads, holder: str) -> None:
    """Go on with the account's run for one turn, and ask for the next.

    Raises:
        redis.RedisError: Redis is away; the turn counts as lost after a while, and the run goes on.
    """
    turn = await context.runs.begin(portal_id, reads, holder)
    if turn is None:
        return
    hold = Hold(context.runs, turn, context.timing)
    try:
        rest = await _work(context, hold)
        goes_on = rest is not None and await hold.let_go(rest)
    except asyncio.CancelledError:
        await asyncio.shield(_hand_back(context, hold))
        raise
    if rest is not None and goes_on:
        await context.turns.ask(portal_id, reads, delay_ms=rest.ms)


async def _work(context: Context, hold: Hold) -> Rest | None:
    """Read page after page; return what the run waits for, None if it needs no more turns."""
    try:
        return await _pages(context, hold)
    except PortalFailure as failure:
        return await after_failure(hold, failure, context.timing)
    except RecordRefused as refusal:
        return await after_bad_page(hold, "refused-page", refusal, b"", context.timing)
    except StaleProjectionError as error:
        context.follow_projection(hold.run.portal_id, error.generation)
        return Rest(context.timing.again_first_ms)
    except LostError:
        return None


async def _pages(context: Context, hold: Hold) -> Rest | None:
    until = time.monotonic() + context.timing.backfill_turn_ms / 1000
    ground = await _ground(context, hold.run.portal_id)
    if isinstance(ground, Rest):
        return ground
    if hold.run.step == 0:
        await _look_around(context, hold)
    tickets = await take_every_ticket(context.stream)
    while True:
        if context.streams_room.tight:
            return _NO_ROOM
        wait_ms = await context.budget.take(
            hold.run.portal_id,
            cost_of(ground.projection),
            leaving=1 + len(ground.projection.associations),
        )
        if wait_ms:
            return Rest(wait_ms, "budget")
        await _page(context, hold, ground, tickets)
        tickets = tickets_seen(context.stream)
        if hold.run.state not in ACTIVE:
            return None
        due_ms = hold.run.due_at - hold.now
        if due_ms > 0 or time.monotonic() >= until:
            return Rest(max(0, due_ms))


async def _ground(context: Context, portal_id: int) -> _Ground | Rest:
    """Return what the turn's pages have in common, or why there are none now."""
    if context.streams_room.tight:
        return _NO_ROOM
    door = await context.ledger.door(portal_id)
    if not door.open:
        return Rest(context.timing.portal_backoff_last_ms, door.why or "not connected")
    if door.asleep_until > door.now:
        return Rest(door.asleep_until - door.now, door.why)
    return _Ground(
        projection=await context.projection(portal_id),
        dispositions=await context.dispositions.labels(portal_id),
        connected_at=door.connected_at,
    )


async def _look_around(context: Context, hold: Hold) -> None:
    """Before the first page: is the token this account's, and how many calls are there?

    A listing names no account: with another one's token it would bring that one's calls.
    """
    portal_id = hold.run.portal_id
    try:
        await context.hubspot.confirm_token(portal_id)
    except HubSpotError as error:
        if isinstance(error, PortalFailure) and error.kind not in _UNTOLD:
            raise
        _log.info("token not confirmed", portal_id=portal_id, reason=str(error))
    if hold.run.reads != "live" or hold.run.total is not None:
        return  # search knows no archived calls
    try:
        total = (await context.hubspot.search_calls(portal_id, since_ms=0, limit=1)).page.total
    except HubSpotError as error:
        _log.info("calls not counted", portal_id=portal_id, reason=str(error))
    else:
        await hold.change(Change(set={"total": total}))


async def _page(context: Context, hold: Hold, ground: _Ground, tickets: Mapping[int, int]) -> None:
    """Take one page, whose requests are paid for, to the streams and move the cursor."""
    run = hold.run
    page = await read_page(
        context.hubspot, run.portal_id, run.reads, run.cursor or None, ground.projection
    )
    if goes_in_a_circle(run, page.after):
        raise PortalFailure(kind="undecodable", detail="the listing goes in a circle")
    setting = Setting(
        portal_id=run.portal_id,
        projection=ground.projection,
        tickets=tickets,
        dispositions=ground.dispositions,
        connected_at=ground.connected_at,
        now=hold.now,
    )
    tally = await publish_page(context, setting, page)
    change = moved(run, page.after, tally, hold.now)
    set_aside = letters(run.portal_id, page.undecodable)
    if page.after is None:
        await hold.end(change, set_aside)
        _log.info("backfill finished", **told(hold.run))
    else:
        await hold.change(change, set_aside)


async def _hand_back(context: Context, hold: Hold) -> None:
    """Give the run back in the middle of its turn, so that another worker goes on at once."""
    run = hold.run
    try:
        async with asyncio.timeout(HAND_BACK_S):
            if await hold.let_go(Rest()):
                await context.turns.ask(run.portal_id, run.reads)
    except (RedisError, OSError, TimeoutError) as error:
        _log.warning("backfill not handed back", run=run.id, error=repr(error))
