"""`callstream reconcile`."""

from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobs.config.settings import Settings
    from jobs.reconciliation.operate import Reconciled, Reconciling

POLL_S = 0.3


@click.command()
@click.option("--portal", type=click.IntRange(min=1), help="One account; without, all of them.")
@click.option("--since", default="", help="RFC 3339; without, since the last search.")
@click.option("--full", is_flag=True, help="List all calls as well: a round.")
@click.option("--follow", is_flag=True, help="Wait for the end, and show how it goes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reconcile(*, portal: int | None, since: str, full: bool, follow: bool, as_json: bool) -> int:
    """Look for changes that no notification told of.

    A worker does it; what differs is read again, and published if it is new.
    """
    import asyncio

    from jobs.config.settings import environment, load

    settings = load(environment(), role="consumer")
    return asyncio.run(
        _reconcile(settings, portal, since=since, full=full, follow=follow, as_json=as_json)
    )


async def _reconcile(  # noqa: PLR0913 - the command's options, by name
    settings: "Settings",
    portal: int | None,
    *,
    since: str,
    full: bool,
    follow: bool,
    as_json: bool,
) -> int:
    import msgspec

    from jobs.reconciliation.operate import Reconciling, SinceError
    from jobs.redis import connect
    from jobs.timing import Timing

    async with connect(settings.redis_url) as redis:
        timing = Timing().scaled(settings.timing_scale)
        reconciling = Reconciling(redis, settings.namespace, timing)
        portals = [portal] if portal is not None else await reconciling.accounts()
        if not portals:
            msg = "no account is reconciled yet: connect one, and start a worker"
            raise click.ClickException(msg)
        try:
            runs = {one: await reconciling.start(one, since=since, full=full) for one in portals}
        except SinceError as error:
            raise click.UsageError(str(error)) from error
        if follow:
            ended = await _follow(reconciling, runs, quiet=as_json)
            if as_json:
                click.echo(msgspec.json.format(msgspec.json.encode(ended)).decode())
            return int(any(one.last is None or one.last.state == "failed" for one in ended))
    if as_json:
        asked = [{"portal_id": one, "id": run_id} for one, run_id in runs.items()]
        click.echo(msgspec.json.format(msgspec.json.encode(asked)).decode())
    else:
        for one, run_id in runs.items():
            click.echo(f"account {one}: {run_id}")
    return 0


async def _follow(
    reconciling: "Reconciling", runs: "Mapping[int, str]", *, quiet: bool
) -> "Sequence[Reconciled]":
    """Show how the runs go on until all have ended; return where their accounts stand then."""
    import asyncio

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    ended: dict[int, Reconciled] = {}
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        tasks = {one: progress.add_task(f"account {one}: waits for a worker") for one in runs}
        while len(ended) < len(runs):
            for one in runs.keys() - ended.keys():
                seen = await reconciling.look(one)
                if seen.last is not None and seen.last.id == runs[one]:
                    ended[one] = seen
                    progress.stop_task(tasks[one])
                progress.update(tasks[one], description=told(seen, runs[one]))
            await asyncio.sleep(POLL_S)
    if not quiet:
        for one in sorted(ended):
            click.echo(told(ended[one], runs[one]))
    return [ended[one] for one in sorted(ended)]


def told(seen: "Reconciled", run_id: str) -> str:
    """Return in a line how the run goes, or how it ended."""
    known = [run for run in (seen.run, seen.last) if run is not None and run.id == run_id]
    if not known:
        return f"account {seen.portal_id}: waits for a worker"
    run = known[0]
    state = f"{run.step}, {run.state}" if run.state in {"running", "waiting"} else run.state
    why = f": {run.why}" if run.why else ""
    counts = run.counts
    return (
        f"account {seen.portal_id}: {state}{why}. {counts.requests} requests, {counts.seen} calls "
        f"seen, {counts.marked} to read; missed so far: {seen.missed.count}"
    )
