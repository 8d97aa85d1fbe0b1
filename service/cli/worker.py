"""`callstream worker`."""

from typing import Literal

import rich_click as click


@click.command()
@click.option(
    "--queue",
    type=click.Choice(["live", "collections"]),
    help="Run this queue only. Without it one process runs both.",
)
def worker(queue: Literal["live", "collections"] | None) -> None:
    """Read the marked calls from HubSpot and publish what is new.

    Stops on SIGTERM or Ctrl-C within SHUTDOWN_GRACE; what is unfinished goes back to the ledger.
    """
    import uvloop

    from jobs import logs
    from jobs.config.settings import environment, load
    from jobs.worker import run

    settings = load(environment(), role="worker")
    logs.configure(settings.log_level, settings.log_format)
    uvloop.run(run(settings, queue))
