"""`callstream accounts remove`."""

from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from jobs.accounts.removal import Removal
    from jobs.config.settings import Settings
    from service.cli.accounts.desk import Desk


@click.command()
@click.argument("portal", type=click.IntRange(min=1))
@click.option(
    "--now",
    is_flag=True,
    help="Delete its events from the streams as well, by reading through them. Without it they "
    "stay until STREAM_MAX_AGE.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def remove(*, portal: int, now: bool, as_json: bool) -> None:
    """Forget an account: tokens, marks, dead letters, records, and with --now its events.

    Uninstall the app in HubSpot first, or its notifications go on and are kept for an unknown
    account. Consumers get one notice on every stream. May be repeated if it was interrupted.
    """
    import asyncio

    from service.cli.accounts.desk import settings_for, tell

    removal = asyncio.run(_remove(settings_for("remove"), portal, now=now))
    tell(removal, _words(removal), as_json=as_json)


async def _remove(settings: "Settings", portal: int, *, now: bool) -> "Removal":
    from jobs.accounts.removal import Remover
    from service.cli.accounts.desk import open_desk, progress

    async with open_desk(settings) as desk:
        await _refuse_static(desk, portal)
        remover = Remover(
            desk.redis,
            desk.streams,
            settings.namespace,
            ledger=desk.ledger,
            register=desk.register,
            timing=desk.timing,
        )
        with progress("looking through the streams") as moved:
            return await remover.remove(portal, now=now, progress=moved)


async def _refuse_static(desk: "Desk", portal: int) -> None:
    """Fail if the settings would connect the account again."""
    from jobs.accounts.static import known_owner

    settings = desk.settings
    if settings.hubspot_access_token is None:
        return
    owner = settings.hubspot_portal_id
    if owner is None:
        owner = await known_owner(desk.redis, settings.namespace, settings.hubspot_access_token)
    if owner == portal:
        msg = (
            f"HUBSPOT_ACCESS_TOKEN belongs to account {portal}: the next worker would connect it "
            "again. Take the token out of the settings of all processes first"
        )
        raise click.ClickException(msg)


def _words(removal: "Removal") -> str:
    from service.cli.accounts.desk import counted

    if not (removal.notices or removal.marks or removal.records or removal.dead_letters):
        return f"nothing is known of account {removal.portal_id}"
    parts = [
        counted(removal.marks, "call that waited", "calls that waited"),
        counted(removal.records, "record"),
        counted(removal.dead_letters, "dead letter"),
        counted(removal.events, "event"),
    ]
    told = counted(removal.notices, "notice")
    return f"account {removal.portal_id} removed: {', '.join(parts)}; {told} for consumers"
