"""`callstream subscriptions`."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.config.settings import Settings


@click.command()
@click.option(
    "--portal",
    type=click.IntRange(min=1),
    help="With CALL_PROPERTIES=*: the account whose properties to list. Without it, that of "
    "HUBSPOT_ACCESS_TOKEN.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the file instead of printing it; what was there is replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; the file is JSON already.")
def subscriptions(*, portal: int | None, output: Path | None, as_json: bool) -> None:
    """Print the HubSpot app's project file: where to send notifications, and about what.

    It is the app's webhooks component, for the properties that CALL_PROPERTIES names. Save it as
    src/app/webhooks/webhooks-hsmeta.json in the app's project, and upload that. Needs PUBLIC_URL.
    """
    import asyncio

    from jobs.config.settings import SettingsError, environment, load
    from service.subscriptions import component, target_url

    del as_json
    settings = load(environment(), role="tool")
    if not settings.public_url:
        raise SettingsError(["PUBLIC_URL: is required by callstream subscriptions"])
    names = asyncio.run(_names(settings, portal))
    made = component(target_url(settings), names)
    if output is None:
        click.echo(made.as_file(), nl=False)
        return
    output.write_text(made.as_file(), encoding="utf-8")
    count = len(made.config.subscriptions.crm_objects)
    click.echo(f"{output}: {count} subscriptions to {target_url(settings)}")


async def _names(settings: "Settings", portal: int | None) -> "Sequence[str]":
    """Return the properties that are read, as the account defines them if it is all of them."""
    from jobs.config.settings import SettingsError
    from jobs.config.values import ANYONE
    from jobs.hubspot.paths import Paths
    from service.inquiry import Inquiry, open_transport, token_of

    if ANYONE not in settings.call_properties:
        return settings.call_properties
    token = settings.hubspot_access_token
    if portal is not None and not settings.redis_url:
        raise SettingsError(["REDIS_URL: is required by --portal"])
    async with open_transport(settings) as transport:
        if portal is not None:
            token = await token_of(settings, transport, portal)
        if token is None:
            why = "is required to list all properties, or --portal and an installed account"
            raise SettingsError([f"HUBSPOT_ACCESS_TOKEN: {why}"])
        inquiry = Inquiry(transport, Paths(settings.hubspot_api_version), token)
        return sorted(await inquiry.property_names())
