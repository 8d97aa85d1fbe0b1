"""`callstream accounts list`."""

from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from jobs.accounts.listing import Account
    from jobs.config.settings import Settings


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, as_json: bool) -> None:
    """Show every account that is connected, was, or is named by notifications."""
    import asyncio

    from rich.console import Console

    from service.cli.accounts.desk import settings_for, tell

    found = asyncio.run(_accounts(settings_for("list")))
    if as_json:
        tell(found, "", as_json=True)
    elif found:
        Console().print(table(found))
    else:
        click.echo("no accounts: see callstream accounts add, or HUBSPOT_ACCESS_TOKEN", err=True)


async def _accounts(settings: "Settings") -> "list[Account]":
    from jobs.accounts.listing import Listing
    from service.cli.accounts.desk import open_desk

    static = [] if settings.hubspot_portal_id is None else [settings.hubspot_portal_id]
    async with open_desk(settings) as desk:
        return await Listing(desk.redis, settings.namespace, desk.register).accounts(static)


def table(accounts: "Sequence[Account]") -> "RenderableType":
    """Return the accounts as a table."""
    from rich.table import Table

    from jobs import instants

    rows = Table("account", "state", "token by", "connected", "waiting", "why")
    for account in accounts:
        since = account.installed_at or account.connected_at
        rows.add_row(
            str(account.portal_id),
            account.state,
            account.by,
            "" if since is None else (instants.ms_to_text(since) or ""),
            str(account.due + account.leased),
            account.why,
        )
    return rows
