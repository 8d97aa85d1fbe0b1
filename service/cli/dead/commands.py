"""`callstream dead list|show|replay|drop`."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

if TYPE_CHECKING:
    from jobs.deadletters.box import Dropped, Page, Replayed
    from jobs.deadletters.letters import Letter, Selection

PAGE: Final = 50
_HOW_TO_LEAVE: Final = "see callstream dead drop"

F = TypeVar("F", bound=Callable[..., Any])


def _choosing(function: F) -> F:
    """Add the options that choose letters."""
    for option in (
        click.option("--until", default="", help="Set aside before this time, or so long ago."),
        click.option("--since", default="", help="Set aside since: RFC 3339, or 30m, 24h, 7d ago."),
        click.option("--portal", type=click.IntRange(min=1), help="Of one account."),
        click.option("--reason", default="", help="Of one reason, as list shows it."),
    ):
        function = option(function)
    return function


def _as_json(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


@click.command("list")
@_choosing
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--after", default="", help="Go on after this id: older letters.")
@_as_json
def list_(  # noqa: PLR0913 - the command's options, by name
    *,
    reason: str,
    portal: int | None,
    since: str,
    until: str,
    limit: int,
    after: str,
    as_json: bool,
) -> None:
    """Show dead letters, the newest first, without what was said on calls."""
    import asyncio

    from rich.console import Console

    from service.cli.accounts.desk import tell
    from service.cli.dead.desk import checked_ids, selection_of, table

    if after:
        checked_ids([after])
    selection = selection_of(reason=reason, portal=portal, since=since, until=until)
    page = asyncio.run(_page(selection, limit, after))
    if as_json:
        tell(page, "", as_json=True)
    elif page.letters:
        Console().print(table(page.letters))
        if page.after:
            click.echo(f"there are more: --after {page.after}", err=True)
    else:
        click.echo("no dead letters", err=True)


async def _page(selection: "Selection", limit: int, after: str) -> "Page":
    from service.cli.dead.desk import open_desk, settings

    async with open_desk(settings()) as desk:
        return await desk.box.page(selection, limit=limit, after=after)


@click.command()
@click.argument("letter_id", metavar="ID")
@click.option(
    "--raw",
    is_flag=True,
    help="Write the bytes that it is about to stdout. They may hold what was said on a call.",
)
@_as_json
def show(*, letter_id: str, raw: bool, as_json: bool) -> None:
    """Show one dead letter; its bytes only with --raw."""
    import asyncio

    from service.cli.accounts.desk import tell
    from service.cli.dead.desk import checked_ids, words

    checked_ids([letter_id])
    letter, found = asyncio.run(_find(letter_id, raw=raw))
    if raw:
        sys.stdout.buffer.write(found)
        sys.stdout.buffer.flush()
    else:
        tell(letter, words(letter), as_json=as_json)


async def _find(letter_id: str, *, raw: bool) -> "tuple[Letter, bytes]":
    from service.cli.dead.desk import open_desk, settings

    async with open_desk(settings()) as desk:
        letter = await desk.box.find(letter_id)
        if letter is None:
            msg = f"there is no dead letter {letter_id}"
            raise click.ClickException(msg)
        return letter, await desk.box.raw(letter, desk.envelope) if raw else b""


@click.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@_choosing
@click.option("--all", "everything", is_flag=True, help="All there are.")
@_as_json
def replay(  # noqa: PLR0913 - the command's options, by name
    *,
    letter_ids: tuple[str, ...],
    reason: str,
    portal: int | None,
    since: str,
    until: str,
    everything: bool,
    as_json: bool,
) -> None:
    """Have the calls of dead letters read again.

    A worker reads them; what differs from the stream is published, and what fails again is set
    aside again. May be done twice. Letters that name no call stay: drop them.
    """
    import asyncio

    from service.cli.accounts.desk import counted, tell
    from service.cli.dead.desk import checked_ids, require_choice, selection_of

    selection = selection_of(reason=reason, portal=portal, since=since, until=until)
    require_choice(checked_ids(letter_ids), selection, everything=everything)
    done = asyncio.run(_replay(letter_ids, selection))
    told = f"{counted(done.replayed, 'call')} to be read again"
    if done.gone:
        told += f"; {counted(done.gone, 'letter')} not there any more"
    if done.left:
        told += f"; {counted(done.left, 'letter')} left that name no call, {_HOW_TO_LEAVE}"
    tell(done, told, as_json=as_json)


async def _replay(letter_ids: tuple[str, ...], selection: "Selection") -> "Replayed":
    from jobs.deadletters.bulk import replay_all, replay_named
    from service.cli.accounts.desk import progress
    from service.cli.dead.desk import open_desk, settings

    async with open_desk(settings()) as desk:
        if letter_ids:
            return await replay_named(desk.box, letter_ids, desk.ring)
        with progress("replaying") as moved:
            return await replay_all(desk.box, selection, desk.ring, progress=moved)


@click.command()
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@_choosing
@click.option("--all", "everything", is_flag=True, help="All there are.")
@_as_json
def drop(  # noqa: PLR0913 - the command's options, by name
    *,
    letter_ids: tuple[str, ...],
    reason: str,
    portal: int | None,
    since: str,
    until: str,
    everything: bool,
    as_json: bool,
) -> None:
    """Delete dead letters for good. Their calls are read again with their next notification."""
    import asyncio

    from service.cli.accounts.desk import counted, tell
    from service.cli.dead.desk import checked_ids, require_choice, selection_of

    selection = selection_of(reason=reason, portal=portal, since=since, until=until)
    require_choice(checked_ids(letter_ids), selection, everything=everything)
    done = asyncio.run(_drop(letter_ids, selection))
    tell(done, f"{counted(done.dropped, 'dead letter')} dropped", as_json=as_json)


async def _drop(letter_ids: tuple[str, ...], selection: "Selection") -> "Dropped":
    from jobs.deadletters.box import Dropped
    from jobs.deadletters.bulk import drop_all
    from service.cli.accounts.desk import progress
    from service.cli.dead.desk import open_desk, settings

    async with open_desk(settings()) as desk:
        if letter_ids:
            return Dropped(await desk.box.drop(letter_ids))
        with progress("dropping") as moved:
            return await drop_all(desk.box, selection, progress=moved)
