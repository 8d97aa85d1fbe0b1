"""The commands of `callstream backfill`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from jobs.backfill.record import Reads
    from service.cli.backfill.desk import Desk

_PORTAL = click.option(
    "--portal", type=click.IntRange(min=1), help="The account; not needed if there is only one."
)
_ARCHIVED = click.option(
    "--archived", is_flag=True, help="The archived calls instead of the live ones."
)
_CEILING = click.option(
    "--ceiling",
    type=click.IntRange(1, 1_000_000),
    help="The most requests per 10 s; without, what the account's budget leaves.",
)
_FOLLOW = click.option("--follow", is_flag=True, help="Wait for the end, and show how it goes.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@_PORTAL
@_ARCHIVED
@_CEILING
@_FOLLOW
@_JSON
def start(
    *, portal: int | None, archived: bool, ceiling: int | None, follow: bool, as_json: bool
) -> int:
    """Start a backfill, or find the one at work.

    With --follow the exit status is 0 once it has seen the end, 1 if it failed or was cancelled;
    Ctrl-C leaves it at work.
    """

    async def begin(desk: "Desk") -> int:
        from service.cli.backfill.following import follow_run

        portal_id = await desk.portal(portal)
        run = (await desk.backfills.start(portal_id, _reads(archived), ceiling=ceiling or 0)).run
        if follow:
            return await follow_run(desk, run, quiet=as_json)
        desk.tell(run, as_json=as_json)
        return 0

    return _with_desk(begin)


@click.command()
@_PORTAL
@click.option("--archived", is_flag=True, help="Only backfills of archived calls.")
@_FOLLOW
@_JSON
def status(*, portal: int | None, archived: bool, follow: bool, as_json: bool) -> int:
    """Show the latest backfill of each kind and account."""

    async def show(desk: "Desk") -> int:
        from service.cli.backfill.following import follow_run

        if follow:
            return await follow_run(desk, await desk.run(portal, _reads(archived)), quiet=as_json)
        runs = [
            run
            for run in await desk.backfills.runs.all()
            if portal in (None, run.portal_id) and (not archived or run.reads == "archived")
        ]
        desk.tell_all(runs, as_json=as_json)
        return 0

    return _with_desk(show)


def _order(name: str, words: str) -> click.Command:
    """Return a command that does one thing to the latest run."""

    def act(*, portal: int | None, archived: bool, as_json: bool) -> int:
        async def do(desk: "Desk") -> int:
            run = await desk.run(portal, _reads(archived))
            orders = {"pause": desk.backfills.pause, "cancel": desk.backfills.cancel}
            desk.tell(await orders[name](run.id), as_json=as_json)
            return 0

        return _with_desk(do)

    act.__doc__ = words
    return click.command(name)(_PORTAL(_ARCHIVED(_JSON(act))))


pause = _order("pause", "Let a backfill rest after the page in hand.")
cancel = _order("cancel", "End a backfill where it is; what it has published stays.")


@click.command()
@_PORTAL
@_ARCHIVED
@_CEILING
@_JSON
def resume(*, portal: int | None, archived: bool, ceiling: int | None, as_json: bool) -> int:
    """Let a paused or failed backfill go on from its last page."""

    async def go_on(desk: "Desk") -> int:
        run = await desk.run(portal, _reads(archived))
        desk.tell(await desk.backfills.resume(run.id, ceiling=ceiling), as_json=as_json)
        return 0

    return _with_desk(go_on)


def _reads(archived: bool) -> "Reads":  # noqa: FBT001 - a flag of the command line
    return "archived" if archived else "live"


def _with_desk(work: "Callable[[Desk], Awaitable[int]]") -> int:
    import asyncio

    from service.cli.backfill.desk import open_desk

    async def run() -> int:
        async with open_desk() as desk:
            return await work(desk)

    return asyncio.run(run())
