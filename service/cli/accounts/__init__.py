"""`callstream accounts`: who is connected, and how accounts come, go and move."""

import rich_click as click

from service.cli.accounts.add import add
from service.cli.accounts.believe import believe
from service.cli.accounts.bundle import export, import_
from service.cli.accounts.listed import list_
from service.cli.accounts.remove import remove
from service.cli.accounts.rotate import rotate


@click.group()
def accounts() -> None:
    """List, add, remove and move the accounts whose calls are read."""


for command in (list_, add, remove, rotate, export, import_, believe):
    accounts.add_command(command)
