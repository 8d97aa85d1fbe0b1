"""`callstream backfill`: bring all calls of an account to the streams, and look how that goes."""

import rich_click as click

from service.cli.backfill.commands import cancel, pause, resume, start, status


@click.group()
def backfill() -> None:
    """Bring all calls of an account to the streams, page by page.

    A worker does it, within the account's budget and after live work; twice does no harm.
    """


for command in (start, status, pause, resume, cancel):
    backfill.add_command(command)
