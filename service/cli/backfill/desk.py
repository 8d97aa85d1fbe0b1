"""What the backfill commands have in common: Redis, the account that is meant, the words."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import msgspec
import rich_click as click
from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from jobs.accounts.listing import Listing
from jobs.accounts.register import Register
from jobs.backfill.operate import Backfills
from jobs.backfill.record import Reads, Run
from jobs.backfill.report import Report, report_of
from jobs.config.settings import Settings, environment, load
from jobs.ledger.ledger import Ledger
from jobs.queue import Turns, connect_queue
from jobs.redis import connect
from jobs.timing import Timing

NOTHING_NEW: Final = "nothing new"
WIDEST: Final = 1_000
"""Columns of a terminal that no table needs."""


@dataclass(frozen=True)
class Desk:
    """The backfills of one deployment; made by `open_desk`."""

    settings: Settings
    redis: Redis
    timing: Timing
    backfills: Backfills

    async def portal(self, named: int | None) -> int:
        """Return the account that is meant: the named one, or else the only one.

        Raises:
            click.UsageError: none is named, and there are several.
            click.ClickException: there is none.
        """
        if named is not None:
            return named
        if self.settings.hubspot_portal_id is not None:
            return self.settings.hubspot_portal_id
        namespace = self.settings.namespace
        ledger = Ledger(self.redis, namespace, self.timing)
        register = Register(self.redis, namespace, ledger, self.timing)
        accounts = await Listing(self.redis, namespace, register).accounts()
        portals = [one.portal_id for one in accounts if one.state in {"connected", "asleep"}]
        if not portals:
            msg = "no account is connected: set HUBSPOT_ACCESS_TOKEN, and start a worker"
            raise click.ClickException(msg)
        if len(portals) > 1:
            msg = f"{len(portals)} accounts are connected: name one with --portal"
            raise click.UsageError(msg)
        return portals[0]

    async def run(self, portal: int | None, reads: Reads) -> Run:
        """Return the latest run of the account that is meant.

        Raises:
            click.ClickException: there never was one.
        """
        portal_id = await self.portal(portal)
        run = await self.backfills.runs.latest(portal_id, reads)
        if run is None:
            msg = f"account {portal_id} has no backfill of {reads} calls: callstream backfill start"
            raise click.ClickException(msg)
        return run

    def tell(self, run: Run, *, as_json: bool) -> None:
        """Print a run."""
        report = report_of(run)
        click.echo(_json(report) if as_json else line(report))

    def tell_all(self, runs: Sequence[Run], *, as_json: bool) -> None:
        """Print runs."""
        reports = [report_of(run) for run in runs]
        if as_json:
            click.echo(_json(reports))
        elif reports:
            show(reports, Console())
        else:
            click.echo("no backfills yet: callstream backfill start", err=True)


@asynccontextmanager
async def open_desk() -> AsyncGenerator[Desk]:
    """Connect to the settings' Redis until the block ends.

    Raises:
        SettingsError: settings are missing or wrong.
    """
    settings = load(environment(), role="consumer")
    timing = Timing().scaled(settings.timing_scale)
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect(settings.redis_url))
        queue = connect_queue(settings.redis_url, settings.namespace, "collections")
        stack.push_async_callback(queue.aclose, close_connection_pool=True)
        turns = Turns(queue, settings.namespace)
        yield Desk(settings, redis, timing, Backfills(redis, settings.namespace, timing, turns))


def found_nothing(report: Report) -> bool:
    """Tell whether the run saw all calls and had nothing to publish."""
    return report.state == "finished" and not report.published


def line(report: Report) -> str:
    """Return a run in a line."""
    why = f" ({report.why})" if report.why else ""
    of_all = "" if report.total is None else f" of {report.total:,}"
    found = NOTHING_NEW if found_nothing(report) else f"{report.published:,} published"
    left = [f"{report.unchanged:,} unchanged"] if report.unchanged else []
    left += [f"{report.marked:,} to be read again"] if report.marked else []
    left += [f"{report.set_aside:,} set aside"] if report.set_aside else []
    counts = ", ".join([found, *left])
    error = f"; {report.error}" if report.state == "failed" else ""
    return f"{report.id}: {report.state}{why}, {report.seen:,}{of_all} calls: {counts}{error}"


def show(reports: Sequence[Report], console: Console) -> None:
    """Print runs as a table, or each in a line of its own where that is too narrow for it."""
    rows = table(reports)
    unbounded = console.options.update(max_width=WIDEST)
    if console.measure(rows, options=unbounded).maximum <= console.width:
        console.print(rows)
        return
    for report in reports:
        console.print(line(report), highlight=False)


def table(reports: Sequence[Report]) -> Table:
    """Return runs as a table."""
    rows = Table(title="Backfills")
    rows.add_column("backfill", no_wrap=True)
    rows.add_column("state")
    for name in ("calls", "published", "unchanged", "marked", "set aside", "calls/s"):
        rows.add_column(name, justify="right")
    for report in reports:
        of_all = "" if report.total is None else f" of {report.total:,}"
        rows.add_row(
            report.id,
            f"{report.state}: {report.why or NOTHING_NEW}"
            if report.why or found_nothing(report)
            else report.state,
            f"{report.seen:,}{of_all}",
            *(
                f"{number:,}"
                for number in (
                    report.published,
                    report.unchanged,
                    report.marked,
                    report.set_aside,
                    round(report.rate),
                )
            ),
        )
    return rows


def _json(told: Report | Sequence[Report]) -> str:
    return msgspec.json.format(msgspec.json.encode(told)).decode()
