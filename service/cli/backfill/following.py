"""Follows a backfill to its end: a progress bar on a terminal, now and then a line elsewhere."""

import asyncio
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import rich_click as click
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobs.backfill.operate import NoSuchRunError
from jobs.backfill.record import UNFINISHED, Run
from jobs.backfill.report import Report, report_of
from jobs.hubspot.allowance import Allowance, allowance
from service.cli.backfill.desk import Desk, line

POLL_S: Final = 0.4
BAR: Final = 40
"""Columns of the bar, where there is room for it."""
BAR_AT_LEAST: Final = 10
TELL_EVERY_S: Final = 10.0
"""How often a line is told where there is no terminal."""

_MINUTE, _HOUR = 60, 3_600


async def follow_run(desk: Desk, run: Run, *, quiet: bool) -> int:
    """Show how a run goes until it has ended; return the exit status.

    A paused run is waited for. Ctrl-C ends the following, not the run.

    Args:
        desk: the backfills.
        run: which.
        quiet: show nothing on the way, and print JSON in the end.
    """
    try:
        with _shown(quiet=quiet) as show, _until_signal() as stopped:
            while run.state in UNFINISHED and not stopped.is_set():
                show(report_of(run), await _left(desk, run.portal_id))
                await asyncio.sleep(POLL_S)
                run = await desk.backfills.find(run.id)
            show(report_of(run), await _left(desk, run.portal_id))
    except NoSuchRunError:
        click.echo("a later backfill has taken its place", err=True)
        return 1
    desk.tell(run, as_json=quiet)
    if run.state in UNFINISHED:
        click.echo("it goes on: callstream backfill status --follow", err=True)
        return 0
    return 0 if run.state == "finished" else 1


async def _left(desk: Desk, portal_id: int) -> Allowance:
    settings = desk.settings
    return await allowance(
        desk.redis, settings.namespace, desk.timing, portal_id, settings.hubspot_rate_limit
    )


Show = Callable[[Report, Allowance], None]


@contextmanager
def _shown(*, quiet: bool) -> Generator[Show]:
    """Give what shows the run: a bar, a line every `TELL_EVERY_S`, or nothing."""
    console = Console(stderr=True)
    if quiet:
        yield lambda _report, _left: None
    elif console.is_terminal:
        with Live(console=console) as live:
            yield lambda report, left: live.update(bar(report, left))
    else:
        yield _lines()


def bar(report: Report, left: Allowance) -> Group:
    """Return how a run goes: its state and a bar, and below it calls, rate and what is left."""
    why = f": {report.why}" if report.why else ""
    row = Table.grid(padding=(0, 1))
    row.add_column(no_wrap=True)
    row.add_column(min_width=BAR_AT_LEAST)
    total = report.seen if report.state == "finished" else report.total
    row.add_row(
        f"{report.id} {report.state}{why}",
        ProgressBar(total=total, completed=report.seen, width=BAR, pulse=total is None),
    )
    return Group(row, Text(told(report, left)))


def _lines() -> Show:
    told_at = 0.0

    def show(report: Report, left: Allowance) -> None:
        nonlocal told_at
        if report.state in UNFINISHED and time.monotonic() - told_at >= TELL_EVERY_S:
            told_at = time.monotonic()
            click.echo(f"{line(report)}; {told(report, left)}", err=True)

    return show


def told(report: Report, left: Allowance) -> str:
    """Return calls, rate, time left and budget left, as far as they are known."""
    of_all = "" if report.total is None else f" of {report.total:,}"
    parts = [f"{report.seen:,}{of_all} calls", f"{report.rate:,.0f}/s"]
    if report.seconds_left is not None:
        parts.append(f"{_length(report.seconds_left)} left")
    parts.append(f"budget {left.left:,} of {left.limit:,}")
    if left.left_today is not None:
        parts.append(f"{left.left_today:,} today")
    return ", ".join(parts)


def _length(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"


@contextmanager
def _until_signal() -> Generator[asyncio.Event]:
    """Give an event that Ctrl-C or SIGTERM sets."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
