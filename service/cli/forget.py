"""`callstream forget`."""

from typing import TYPE_CHECKING, Final

import rich_click as click

if TYPE_CHECKING:
    from jobs.config.settings import Settings
    from jobs.erasure.eraser import Erasure

_LONGEST_ID: Final = (1 << 63) - 1


@click.command()
@click.argument("portal", type=click.IntRange(min=1))
@click.argument("call", type=click.IntRange(1, _LONGEST_ID))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def forget(*, portal: int, call: int, as_json: bool) -> None:
    """Forget a call: delete its events, marks and dead letters by looking through all of them.

    For a call that was deleted for privacy in HubSpot. One event without a state stays, so that
    consumers learn of it. A call that HubSpot still shows live is published again with its next
    notification. May be repeated if it was interrupted.
    """
    import asyncio

    from jobs.config.settings import environment, load
    from service.cli.accounts.desk import tell

    settings = load(environment(), role="consumer")
    done = asyncio.run(_forget(settings, portal, str(call)))
    tell(done, _words(done), as_json=as_json)


async def _forget(settings: "Settings", portal: int, call: str) -> "Erasure":
    from jobs.erasure.eraser import Eraser
    from service.cli.accounts.desk import open_desk, progress

    async with open_desk(settings) as desk:
        eraser = Eraser(desk.redis, desk.streams, settings.namespace, desk.ledger, desk.timing)
        with progress("looking through the streams") as moved:
            return await eraser.erase(portal, call, moved)


def _words(done: "Erasure") -> str:
    from service.cli.accounts.desk import counted

    if not (done.known or done.events or done.dead_letters or done.marked):
        return f"nothing is known of call {done.call_id} of account {done.portal_id}"
    letters = counted(done.dead_letters, "dead letter")
    told = "; consumers are told" if done.told else ""
    return (
        f"call {done.call_id} of account {done.portal_id} forgotten: "
        f"{counted(done.events, 'event')}, {letters} deleted{told}"
    )
