"""`callstream status`."""

from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from jobs.config.settings import Settings
    from jobs.reconciliation.operate import Reconciled
    from service.figures import Figures, Portal


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, as_json: bool) -> None:
    """Show what the ledger, the streams and the queues hold."""
    import asyncio

    import msgspec
    from rich.console import Console

    from jobs.config.settings import environment, load

    settings = load(environment(), role="consumer")
    figures = asyncio.run(_figures(settings))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(figures)).decode())
    else:
        Console().print(tables(figures))


async def _figures(settings: "Settings") -> "Figures":
    from jobs.redis import connect
    from service.figures import read_figures

    ledger, streams = connect(settings.redis_url), connect(settings.streams_redis_url)
    try:
        return await read_figures(ledger, streams, settings.namespace)
    finally:
        await ledger.aclose()
        await streams.aclose()


def tables(figures: "Figures") -> "RenderableType":
    """Return the figures as tables."""
    from rich.console import Group
    from rich.table import Table

    from service.cli.backfill.desk import table as backfills

    streams = Table("stream", "events", "last entry", "groups", title="Streams")
    for stream in figures.streams:
        told = ", ".join(
            f"{group.name}: {group.pending} pending"
            + ("" if group.lag is None else f", {group.lag} behind")
            for group in stream.groups
        )
        streams.add_row(stream.key, str(stream.length), stream.last_id, told)
    ledger = Table("account", "state", "due", "being read", title="Ledger")
    for portal in figures.portals:
        ledger.add_row(str(portal.portal_id), _state(portal), str(portal.due), str(portal.leased))
    queues = ", ".join(f"{name} {count}" for name, count in figures.queued.items())
    rest = f"workers {figures.workers}   queued {queues}   dead letters {figures.dead_letters}"
    parts: list[RenderableType] = [streams, ledger, _reconciled(figures.reconciled)]
    if figures.backfills:
        parts.append(backfills(figures.backfills))
    return Group(*parts, rest)


def _reconciled(accounts: "Sequence[Reconciled]") -> "RenderableType":
    """Return how far each account was searched, and what nobody had told of."""
    from rich.table import Table

    from jobs.instants import ms_to_text

    def at(ms: int) -> str:
        return (ms_to_text(ms) or "") if ms else ""

    rows = Table(
        "account",
        "searched until",
        "last round",
        "now",
        "missed",
        "last missed",
        "oldest",
        title="Reconciliation",
    )
    for one in accounts:
        run, missed = one.run, one.missed
        failed = one.last.why if one.last and one.last.state == "failed" else ""
        now = f"{run.step}, {run.state} {run.why}".strip() if run else failed
        oldest = f"{missed.oldest_age_ms / 1000:,.0f} s" if missed.count else ""
        rows.add_row(
            str(one.portal_id),
            at(one.watermark),
            at(one.round_at),
            now,
            str(missed.count),
            at(missed.last_at),
            oldest,
        )
    return rows


def _state(portal: "Portal") -> str:
    if not portal.connected:
        return f"disconnected: {portal.why}" if portal.why else "not connected"
    if portal.asleep_until:
        return f"asleep: {portal.why}"
    return "connected"
