"""`callstream accounts add`."""

from typing import Final

import rich_click as click

LINK: Final = "invitation"


@click.command()
@click.option("--portal", type=click.IntRange(min=1), help="Let in this account only.")
@click.option(
    "--expires",
    default="7d",
    show_default=True,
    help="How long the link is good: 30m, 24h, 7d.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def add(*, portal: int | None, expires: str, as_json: bool) -> None:
    """Print a link with which one account connects itself, once.

    Give it to somebody who may install apps in that HubSpot account. Who has the link may use it.
    Needs the settings of an app: HUBSPOT_CLIENT_ID and those beside it.
    """
    import asyncio

    import msgspec

    from jobs import instants
    from jobs.accounts.invitations import Invitations
    from jobs.config.settings import OAUTH
    from jobs.config.values import DURATION
    from service.cli.accounts.desk import open_desk, settings_for, tell

    settings = settings_for("add", *OAUTH)
    try:
        life_s = DURATION.parse(expires)
    except ValueError as error:
        msg = f"must be {error}"
        raise click.BadParameter(msg, param_hint="--expires") from None

    async def make() -> tuple[str, str]:
        async with open_desk(settings) as desk:
            life_ms = msgspec.convert(life_s, int) * 1000
            word = await Invitations(desk.redis, settings.namespace).make(portal, life_ms)
            until = instants.ms_to_text(await desk.register.now() + life_ms) or ""
        return word.reveal(), until

    word, until = asyncio.run(make())
    url = f"{settings.hubspot_redirect_url.removesuffix('/callback')}/install?{LINK}={word}"
    tell({"url": url, "portal_id": portal, "expires_at": until}, url, as_json=as_json)
    if not as_json:
        who = "one account" if portal is None else f"account {portal}"
        click.echo(f"Lets in {who}, once, until {until}.", err=True)
