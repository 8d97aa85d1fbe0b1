"""`callstream status`."""

from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from jobs.config.settings import Settings
    from service.figures import Figures

MOST = 1_000


@click.command()
@click.option("--portal", type=click.IntRange(min=1), help="This account only, in full.")
@click.option(
    "--most",
    type=click.IntRange(1, MOST),
    default=20,
    show_default=True,
    help="How many accounts to show; the worst come first.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(*, portal: int | None, most: int, as_json: bool) -> None:
    """Show how accounts, their collections, the journal, streams and queues do."""
    import asyncio

    import msgspec
    from rich.console import Console

    from jobs.config.settings import environment, load
    from service.cli.overview import overview
    from service.figures import NoSuchAccountError

    settings = load(environment(), role="consumer")
    try:
        figures = asyncio.run(_figures(settings, portal, most))
    except NoSuchAccountError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(figures)).decode())
    else:
        Console().print(overview(figures, in_full=portal is not None))


async def _figures(settings: "Settings", portal: int | None, most: int) -> "Figures":
    from jobs.redis import connect
    from service.figures import Desk

    async with (
        connect(settings.redis_url) as ledger,
        connect(settings.streams_redis_url) as streams,
    ):
        return await Desk(ledger, streams, settings).figures(portal_id=portal, most=most)
