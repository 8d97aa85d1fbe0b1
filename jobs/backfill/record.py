"""The record of a backfill, and what one page does to it. Pure.

A run goes through HubSpot's listing of one account's live calls, or of its archived ones, from the
beginning to the page that names no other.
"""

from typing import Final, Literal

import msgspec

Reads = Literal["live", "archived"]
"""Which calls a run reads: HubSpot lists the two apart."""
READS: Final[tuple[Reads, ...]] = ("live", "archived")

State = Literal["queued", "running", "waiting", "paused", "finished", "cancelled", "failed"]
"""`queued`: no worker has begun. `waiting`: until a told time, for a told reason. `finished`: it
saw the end. `failed`: HubSpot refused a page, or gave one that cannot be read, too often."""

ACTIVE: Final[frozenset[State]] = frozenset[State]({"queued", "running", "waiting"})
"""States in which a run has turns."""
UNFINISHED: Final[frozenset[State]] = ACTIVE | frozenset[State]({"paused"})
"""States in which a second start is answered with the running one."""
RESUMABLE: Final[frozenset[State]] = frozenset[State]({"paused", "failed"})

Value = str | int | float
"""What a field of a record may be set to."""

RATE_OVER_MS: Final = 5_000
"""The rate of a run is measured over at least this long."""
CEILING_PER_MS: Final = 10_000
"""A ceiling counts requests per ten seconds, as HubSpot's limits do."""
CATCH_UP_MS: Final = 1_000
"""A run that came late to its turns may go faster than its ceiling for this much of the time."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as Redis keeps it; times are Redis' epoch ms, 0 = not yet."""

    id: str
    """`<portal>-<reads>-<number>`; a new start gets another number."""
    portal_id: int
    reads: Reads
    state: State
    cursor: str = ""
    """HubSpot's `after` of the next page, exactly as received; empty = the beginning."""
    step: int = 0
    """Rises whenever the cursor moves: what compare-and-set compares."""
    pages: int = 0
    seen: int = 0
    """Calls on those pages, as are the four that follow."""
    published: int = 0
    unchanged: int = 0
    """The last published state again."""
    marked: int = 0
    """Left to the live job, which reads them singly: somebody else published meanwhile, HubSpot
    answered an older state, or not all associations were on the page."""
    set_aside: int = 0
    """Their records do not decode: they lie in the dead letters."""
    saw_end: bool = False
    """Whether HubSpot named no further page: only then was every call seen."""
    total: int | None = None
    """Calls that HubSpot counted when the run began; None = unknown."""
    rate: float = 0.0
    """Calls per second, lately; of a finished run, over all of it."""
    ceiling: int = 0
    """The most requests per 10 s that this run may make; 0 = what the account's budget leaves."""
    why: str = ""
    """What a waiting run waits for."""
    due_at: int = 0
    """When the next page may be asked for."""
    attempts: int = 0
    """How often in a row the next page could not be had."""
    error: str = ""
    """The last error, also when the run has got over it."""
    started_at: int = 0
    moved_at: int = 0
    """When the cursor last moved."""
    ended_at: int = 0

    holder: str = ""
    """Whose turn it is; empty = nobody's."""
    lease_until: int = 0
    anchor: str = ""
    """An earlier cursor: the listing goes in a circle if it comes again."""
    rate_at: int = 0
    rate_seen: int = 0
    """When the rate was last measured, and the calls seen until then."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the calls of one page."""

    published: int = 0
    unchanged: int = 0
    marked: int = 0
    set_aside: int = 0

    @property
    def seen(self) -> int:
        """How many there were."""
        return self.published + self.unchanged + self.marked + self.set_aside


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a script changes in a record."""

    set: dict[str, Value] = {}
    add: dict[str, int] = {}


def moved(run: Run, after: str | None, tally: Tally, now: int) -> Change:
    """Return what a page that is done changes: counts, the cursor, and the end if it is there.

    Args:
        run: before.
        after: HubSpot's cursor of the next page; None = this was the last.
        tally: what became of its calls.
        now: Redis' epoch ms.
    """
    fields: dict[str, Value] = {
        "cursor": after or "",
        "moved_at": now,
        "due_at": next_due(run, now),
        "attempts": 0,
        "why": "",
    }
    if now - (run.rate_at or run.started_at) >= RATE_OVER_MS:
        fields |= _measured(run, tally, now)
    if after is None:
        fields |= {"state": "finished", "saw_end": 1, "ended_at": now, "anchor": ""}
        fields["rate"] = _rate(run.seen + tally.seen, now - run.started_at)
    elif _is_power_of_two(run.pages + 1):
        fields["anchor"] = after
    counts = {
        "step": 1,
        "pages": 1,
        "seen": tally.seen,
        "published": tally.published,
        "unchanged": tally.unchanged,
        "marked": tally.marked,
        "set_aside": tally.set_aside,
    }
    return Change(set=fields, add=counts)


def next_due(run: Run, now: int) -> int:
    """Return when the next page may be asked for by the run's own ceiling, in epoch ms."""
    if not run.ceiling:
        return now
    return max(run.due_at, now - CATCH_UP_MS) + CEILING_PER_MS // run.ceiling


def goes_in_a_circle(run: Run, after: str | None) -> bool:
    """Tell whether the cursor was there before (Brent's way: an anchor at each power of two)."""
    return after is not None and after in (run.cursor, run.anchor)


def id_of(portal_id: int, reads: Reads, number: int | str) -> str:
    """Return the id of a run."""
    return f"{portal_id}-{reads}-{number}"


def parse_id(text: str) -> tuple[int, Reads] | None:
    """Return portal and kind of a run's id; None if it is none."""
    portal, _, rest = text.partition("-")
    name, _, number = rest.partition("-")
    if not _is_number(portal) or not _is_number(number):
        return None
    match name:
        case "live" | "archived":
            return int(portal), name
        case _:
            return None


def _measured(run: Run, tally: Tally, now: int) -> dict[str, float]:
    since = run.rate_at or run.started_at
    seen = run.seen + tally.seen
    return {"rate": _rate(seen - run.rate_seen, now - since), "rate_at": now, "rate_seen": seen}


def _rate(calls: int, ms: int) -> float:
    return round(1000 * calls / max(1, ms), 3)


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19  # noqa: PLR2004 - digits of 64 bits
