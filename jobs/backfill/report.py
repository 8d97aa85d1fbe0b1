"""A run as operators see it, in JSON and in tables: without what only its turns need."""

import msgspec

from jobs.backfill.record import ACTIVE, Reads, Run, State


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A backfill; times are epoch ms, None = not yet."""

    id: str
    portal_id: int
    reads: Reads
    """Which calls it reads: HubSpot lists `live` and `archived` ones apart."""
    state: State
    saw_end: bool
    """Whether it came to the end of HubSpot's listing: only then was every call seen."""
    pages: int
    seen: int
    """Calls on those pages: the sum of the next four."""
    published: int
    unchanged: int
    marked: int
    """Calls that are read again by themselves."""
    set_aside: int
    """Calls whose records do not decode: they lie in the dead letters."""
    total: int | None
    """Calls that HubSpot counted at the beginning; None = unknown."""
    rate: float
    """Calls per second, lately; at first, and once it has finished, over all of it."""
    seconds_left: float | None
    """At this rate; None = unknown, or it is not at work."""
    ceiling: int | None
    """The most requests per 10 s that it may make; None = what the account's budget leaves."""
    why: str
    """What it waits for, or why it failed."""
    due_at: int | None
    """When it goes on; None unless it is at work."""
    attempts: int
    """How often in a row the next page could not be had."""
    error: str
    """The last error, also when it has got over that."""
    cursor: str
    """HubSpot's cursor of the next page; empty = the beginning, or it has finished."""
    started_at: int
    moved_at: int | None
    """When its last page was done."""
    ended_at: int | None


def report_of(run: Run) -> Report:
    """Return the run as operators see it."""
    is_active = run.state in ACTIVE
    rate = run.rate or _rate_so_far(run)
    return Report(
        id=run.id,
        portal_id=run.portal_id,
        reads=run.reads,
        state=run.state,
        saw_end=run.saw_end,
        pages=run.pages,
        seen=run.seen,
        published=run.published,
        unchanged=run.unchanged,
        marked=run.marked,
        set_aside=run.set_aside,
        total=run.total,
        rate=rate,
        seconds_left=_seconds_left(run, rate) if is_active else None,
        ceiling=run.ceiling or None,
        why=run.why,
        due_at=run.due_at if is_active else None,
        attempts=run.attempts,
        error=run.error,
        cursor=run.cursor,
        started_at=run.started_at,
        moved_at=run.moved_at or None,
        ended_at=run.ended_at or None,
    )


def _rate_so_far(run: Run) -> float:
    return round(1000 * run.seen / max(1, run.moved_at - run.started_at), 3) if run.seen else 0.0


def _seconds_left(run: Run, rate: float) -> float | None:
    if run.total is None or rate <= 0:
        return None
    return round(max(0, run.total - run.seen) / rate, 1)
