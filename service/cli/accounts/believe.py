"""`callstream accounts believe`."""

from typing import TYPE_CHECKING, Final

import msgspec
import rich_click as click

if TYPE_CHECKING:
    from jobs.config.settings import Settings

ALARM: Final = "wrong_account"
"""Why an account sleeps of which too many calls vanished."""


class Believed(msgspec.Struct, frozen=True):
    """What is believed from now on."""

    portal_id: int
    until: str
    """RFC 3339."""
    woken: bool
    """Whether the account slept for that, and was woken."""


@click.command()
@click.argument("portal", type=click.IntRange(min=1))
@click.option(
    "--for",
    "lasting",
    default="24h",
    show_default=True,
    help="How long: 30m, 24h, 7d. Then many calls at once are an alarm again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def believe(*, portal: int, lasting: str, as_json: bool) -> None:
    """Believe that an account's calls are gone, however many vanish without a notification.

    When more than 50 and a fifth of an account's calls vanish at once, nothing is published and
    the account sleeps, since a wrong token looks the same. Say so when they were really deleted.
    Each is still read three times, and the token checked, before its deletion is published.
    """
    import asyncio

    from jobs.config.values import DURATION
    from service.cli.accounts.desk import settings_for, tell

    settings = settings_for("believe")
    try:
        life_s = msgspec.convert(DURATION.parse(lasting), int)
    except ValueError as error:
        msg = f"must be {error}"
        raise click.BadParameter(msg, param_hint="--for") from None
    told = asyncio.run(_believe(settings, portal, life_s * 1000))
    woken = "; it is awake again" if told.woken else ""
    words = f"calls of account {portal} that vanish are taken for gone until {told.until}{woken}"
    tell(told, words, as_json=as_json)


async def _believe(settings: "Settings", portal: int, for_ms: int) -> Believed:
    from contextlib import AsyncExitStack

    from jobs import instants
    from jobs.live.vanishing import Vanishing
    from jobs.queue import Doorbells, connect_queue
    from service.cli.accounts.desk import open_desk

    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(open_desk(settings))
        queue = connect_queue(settings.redis_url, settings.namespace, "live")
        stack.push_async_callback(queue.aclose, close_connection_pool=True)
        door = await desk.ledger.door(portal)
        if not door.connected_at:
            msg = f"account {portal} was never connected: see callstream accounts list"
            raise click.ClickException(msg)
        vanishing = Vanishing(desk.redis, settings.namespace, desk.timing)
        await vanishing.believe(portal, for_ms)
        woken = door.why == ALARM and door.asleep_until > door.now
        if woken:
            bells = await desk.ledger.wake(portal)
            await Doorbells(queue, settings.namespace).ring(bells)
        return Believed(portal, instants.ms_to_text(door.now + for_ms) or "", woken)
