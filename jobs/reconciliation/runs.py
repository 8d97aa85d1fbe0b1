"""A reconciliation of one account: what it has still to look at, and what it has found. Pure.

A run searches what was modified since the watermark. A full one, a round, goes on to list the
archived calls, then the live ones, and at last to look up our own records for calls that neither
listing named. Each step moves by whole pages, so a run that is killed goes on from its last page.
"""

from typing import Final, Literal

import msgspec

from jobs.reconciliation.windows import Windows

Kind = Literal["search", "full"]
Step = Literal["search", "archived", "live", "unnamed", "end"]
State = Literal["running", "waiting", "finished", "failed"]

CLOCKS_APART_MS: Final = 300_000
"""A first search begins this long before the account was connected: whose clock that was is not
HubSpot's."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has done."""

    requests: int = 0
    """To HubSpot, those of the reads that its marks lead to not counted."""
    seen: int = 0
    """Calls that HubSpot named, once for each step that named them."""
    marked: int = 0
    """Calls that had to be read."""
    set_aside: int = 0
    """Records without a readable id, kept as dead letters."""
    restarts: int = 0
    """Listings that were begun anew because HubSpot refused their cursor."""

    def plus(self, **more: int) -> "Counts":
        """Return the counts with these added."""
        held = msgspec.structs.asdict(self)
        return Counts(**{name: count + more.get(name, 0) for name, count in held.items()})


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reconciliation; times are Redis' epoch ms unless HubSpot's are named."""

    id: str
    portal_id: int
    kind: Kind
    cause: Literal["schedule", "operator"] = "schedule"
    state: State = "running"
    step: Step = "search"
    since: int
    """The first time of modification that is searched, HubSpot's epoch ms."""
    until: int = 0
    """The last one; 0 = HubSpot has not told its time yet."""
    windows: Windows | None = None
    after: str | None = None
    """The cursor of the listing, HubSpot's own; None = its first page."""
    anchor: str | None = None
    """An earlier cursor: the listing goes in a circle if it comes again."""
    pages: int = 0
    """Of the listing at work."""
    clocks: tuple[int, ...] = ()
    """Each partition's clock when the listings began: a record confirmed since was named."""
    place: tuple[int, int] = (0, 0)
    """Partition and bucket of our records to go on with."""
    counts: Counts = Counts()
    started_at: int = 0
    ended_at: int = 0
    failures: int = 0
    """How often in a row HubSpot could not be asked."""
    why: str = ""
    """What it waits for, or why it failed."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A reconciliation that an operator wants, and that has not begun."""

    id: str
    since: int = 0
    """HubSpot's epoch ms; what is later than the watermark, and 0, mean since that."""
    full: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account's reconciliation stands."""

    watermark: int = 0
    """All that was modified until then has been searched, HubSpot's epoch ms; 0 = nothing was."""
    searched_at: int = 0
    """When the last finished search began, Redis' epoch ms; 0 = none has."""
    round_at: int = 0
    """When the last finished round began; 0 = none has."""
    run: Run | None = None
    """The run at work."""
    last: Run | None = None
    """The run that ended last."""
    asked: Ask | None = None


class Rhythm(msgspec.Struct, frozen=True):
    """How often one account is reconciled, and since when."""

    search_ms: int
    """From search to search."""
    round_ms: int
    """From round to round."""
    connected_at: int
    """When the account was connected, in Redis' epoch ms."""


def next_run(
    standing: Standing, portal_id: int, run_id: str, now: int, rhythm: Rhythm
) -> Run | None:
    """Return the run to begin, None if none is due.

    The first round is due `round_ms` after the account was connected: until then the calls that a
    backfill pages, or that nobody asked for, are none of ours.
    """
    asked = standing.asked
    since = standing.watermark + 1
    if not standing.watermark:
        since = rhythm.connected_at - CLOCKS_APART_MS
    if asked is not None:
        return Run(
            id=asked.id,
            portal_id=portal_id,
            kind="full" if asked.full else "search",
            cause="operator",
            since=min(asked.since or since, since),
            started_at=now,
        )
    wait_ms, kind = _due_in(standing, now, rhythm)
    if wait_ms > 0:
        return None
    return Run(id=run_id, portal_id=portal_id, kind=kind, since=since, started_at=now)


def due_in(standing: Standing, now: int, rhythm: Rhythm) -> int:
    """Return in how many ms the account wants a run; 0 = now."""
    if standing.asked is not None:
        return 0
    return _due_in(standing, now, rhythm)[0]


def _due_in(standing: Standing, now: int, rhythm: Rhythm) -> tuple[int, Kind]:
    round_in = (standing.round_at or rhythm.connected_at) + rhythm.round_ms - now
    if round_in <= 0:
        return 0, "full"
    search_in = standing.searched_at + rhythm.search_ms - now
    return max(0, min(search_in, round_in)), "search"


def watermark_after(standing: Standing, run: Run) -> int:
    """Return the watermark that the run's windows allow; it never goes back."""
    if run.windows is None:
        return standing.watermark
    return max(standing.watermark, run.windows.low - 1)


def after_search(run: Run) -> Run:
    """Return the run at the step that follows its search."""
    return msgspec.structs.replace(run, step="archived" if run.kind == "full" else "end")


def after_page(run: Run, after: str | None) -> Run:
    """Return the run behind a page of a listing, whose cursor of the next is `after`."""
    if after is None:
        step: Step = "live" if run.step == "archived" else "unnamed"
        return msgspec.structs.replace(run, step=step, after=None, anchor=None, pages=0)
    pages = run.pages + 1
    anchor = after if pages & (pages - 1) == 0 else run.anchor
    return msgspec.structs.replace(run, after=after, anchor=anchor, pages=pages)


def ended(run: Run, now: int, *, failed: str = "") -> Run:
    """Return the run at its end."""
    return msgspec.structs.replace(
        run, state="failed" if failed else "finished", why=failed, ended_at=now
    )
