"""The figures of `callstream status` as tables, for a terminal of 80 columns."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Group as Together
from rich.console import JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from jobs.accounts.listing import Account
from jobs.backfill.report import Report
from jobs.journal.place import Reading
from jobs.reconciliation.missed import Miss
from jobs.reconciliation.operate import Reconciled
from service.figures import Figures, Totals
from service.front_door.refusals import Refused
from service.streams import StreamFigures

MISSED: Final = 10
"""So many missed calls are listed unless one account is asked for in full."""
_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def overview(figures: Figures, *, in_full: bool = False) -> RenderableType:
    """Return all of the figures; `in_full` lists every missed call that is kept."""
    return Together(*_parts(figures, in_full=in_full))


def _parts(figures: Figures, *, in_full: bool) -> Iterator[RenderableType]:
    told = [one.account for one in figures.accounts]
    searched = [one.reconciled for one in figures.accounts if one.reconciled]
    runs = [report for one in figures.accounts for report in one.backfills]
    if told:
        yield _accounts(told)
    if figures.others:
        yield f"and {figures.others:,} more accounts, in which less is wrong (--most, --portal)"
    yield _summed(figures.totals)
    if searched:
        yield _searches(searched, figures.at)
    if any(one.missed.latest for one in searched):
        yield from _missed(searched, figures.at, most=None if in_full else MISSED)
    if runs:
        yield _backfills(runs)
    if figures.journal:
        yield _journal(figures.journal, figures.at)
    if figures.streams:
        yield _streams(figures.streams)
    yield from _fullness(figures)
    queued = ", ".join(f"{name} {count:,}" for name, count in figures.queued.items())
    yield (
        f"workers {figures.workers:,}   jobs queued: {queued}   "
        f"dead letters {figures.dead_letters:,}"
    )
    if figures.given_up:
        named = ", ".join(f"{portal}: {count:,}" for portal, count in figures.given_up.items())
        yield f"marks given up, of accounts that nobody connected: {named}"
    if figures.refused:
        yield _refused(figures.refused)


def _fullness(figures: Figures) -> Iterator[str]:
    if figures.nearly_full:
        held = " and ".join(figures.nearly_full)
        yield f"Redis is nearly full ({held}): nothing more is taken until there is room"


def _refused(refused: Sequence[Refused]) -> Table:
    rows = _table("Refused signatures", "reason", "count", "last", "detail", right=("count",))
    for one in refused:
        rows.add_row(one.reason, f"{one.count:,}", one.at, Text(one.detail))
    return rows


def _table(title: str, *names: str, right: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(names):
        justify: JustifyMethod = "right" if name in right else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=not place)
    return table


def _accounts(accounts: Sequence[Account]) -> Table:
    rows = _table("Accounts", "account", "state", "due", "being read", right=("due", "being read"))
    for one in accounts:
        state = f"{one.state}: {one.why}" if one.why else one.state
        rows.add_row(str(one.portal_id), Text(state), f"{one.due:,}", f"{one.leased:,}")
    return rows


def _summed(totals: Totals) -> str:
    return (
        f"in all: {totals.connected:,} connected, {totals.asleep:,} asleep, "
        f"{totals.disconnected:,} disconnected, {totals.unknown:,} unknown;\n"
        f"{totals.due:,} calls due, {totals.leased:,} being read, {totals.missed:,} missed so far"
    )


def _searches(searches: Sequence[Reconciled], now: int) -> Table:
    rows = _table(
        "Reconciliation (ago)",
        *("account", "searched until", "last round", "missed", "found last", "oldest", "run"),
        right=("missed",),
    )
    for one in searches:
        missed = one.missed
        rows.add_row(
            str(one.portal_id),
            _ago(one.watermark, now),
            _ago(one.round_at, now),
            f"{missed.count:,}",
            _ago(missed.last_at, now),
            lasting(missed.oldest_age_ms) if missed.count else "",
            Text(_run(one)),
        )
    return rows


def _run(one: Reconciled) -> str:
    if one.run:
        why = f": {one.run.why}" if one.run.why else ""
        return f"{one.run.step}, {one.run.state}{why}"
    return f"failed: {one.last.why}" if one.last and one.last.state == "failed" else ""


def _missed(
    searches: Sequence[Reconciled], now: int, *, most: int | None
) -> Iterator[RenderableType]:
    """Yield the latest missed calls, each with its age when it was found."""
    found = [(miss, one.portal_id) for one in searches for miss in one.missed.latest]
    found.sort(key=lambda pair: -pair[0].found_at)
    rows = _table(
        "Changes that nobody told of", "account", "call", "found by", "found", "age when found"
    )
    for miss, portal_id in found[:most]:
        found_ago = f"{lasting(max(0, now - miss.found_at))} ago"
        rows.add_row(str(portal_id), miss.call_id, miss.found, found_ago, _age(miss))
    yield rows
    shown, count = len(found[:most]), sum(one.missed.count for one in searches)
    if shown < count:
        yield f"the latest {shown:,} of {count:,}; --portal and --json list up to a hundred"


def _age(miss: Miss) -> str:
    if miss.age_ms is None:
        return "unknown"
    return f"at most {lasting(miss.age_ms)}" if miss.at_most else lasting(miss.age_ms)


def _backfills(reports: Sequence[Report]) -> Table:
    numbers = ("calls", "published", "calls/s", "left")
    rows = _table("Backfills", "backfill", "state", *numbers, right=numbers)
    for one in reports:
        share = f" ({one.seen / one.total:.0%})" if one.total else ""
        rows.add_row(
            one.id,
            Text(f"{one.state}: {one.why or one.error}" if one.why or one.error else one.state),
            f"{one.seen:,}{share}",
            f"{one.published:,}",
            f"{one.rate:,.0f}",
            "" if one.seconds_left is None else lasting(round(one.seconds_left * 1000)),
        )
    return rows


def _journal(reading: Reading, now: int) -> Table:
    rows = _table("Journal (ago)", "read to", "caught up", "lag", "gaps", "files", "reader")
    gaps = f"{reading.gaps:,}"
    if reading.gap_at:
        gaps += f", the last {_ago(reading.gap_at, now)} ago"
    rows.add_row(
        _ago(reading.read_to or 0, now),
        _ago(reading.caught_up_at or 0, now),
        "" if reading.lag_ms is None else lasting(reading.lag_ms),
        gaps,
        f"{reading.files:,}",
        Text(reading.reader or "nobody"),
    )
    rows.caption = f"at offset {reading.offset or 'none'}, {reading.subscriptions:,} subscriptions"
    rows.caption_justify = "left"
    return rows


def _streams(streams: Sequence[StreamFigures]) -> Table:
    rows = _table("Streams", "stream", "events", "last entry", "groups", right=("events",))
    for stream in streams:
        told = [
            f"{group.name}: {group.pending:,} pending"
            + ("" if group.lag is None else f", {group.lag:,} behind")
            for group in stream.groups
        ]
        rows.add_row(stream.key, f"{stream.length:,}", stream.last_id, Text("\n".join(told)))
    return rows


def _ago(then: int, now: int) -> str:
    return lasting(max(0, now - then)) if then else "never"


def lasting(ms: int) -> str:
    """Return a length of time in its largest unit, such as `3 min`; rounded down."""
    for unit, name in _UNITS:
        if ms >= unit:
            return f"{ms // unit:,} {name}"
    return f"{ms} ms"
