"""`callstream dead`: what was set aside, and how it gets another chance."""

import rich_click as click

from service.cli.dead.commands import drop, list_, replay, show


@click.group()
def dead() -> None:
    """List, show, replay and drop dead letters: what could not be processed."""


for command in (list_, show, replay, drop):
    dead.add_command(command)
