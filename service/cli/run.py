"""`callstream run`."""

from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from jobs.config.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(1, 65_535),
    help="The port to listen on.",
)
def run(host: str, port: int) -> None:
    """Run service and worker together, with an embedded Redis unless REDIS_URL is set.

    Shows what runs, where, and the events as they land.
    """
    import asyncio

    from jobs.config.settings import environment, load
    from service.cli.running.together import run_together
    from service.subscriptions import instructions

    environ = environment()
    settings = load(environ, role="run")
    for line in instructions(settings):
        click.echo(line)
    asyncio.run(run_together(environ, host=host, port=port, account=_account(settings)))


def _account(settings: "Settings") -> str:
    """Return whose calls are read, in words."""
    if settings.hubspot_access_token is None:
        return "accounts that install the app: see callstream accounts add"
    portal = settings.hubspot_portal_id
    return "the token's account" if portal is None else f"account {portal}"
