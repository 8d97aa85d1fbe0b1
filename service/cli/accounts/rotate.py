"""`callstream accounts rotate`."""

from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from jobs.accounts.rotation import Rotation
    from jobs.config.settings import Settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rotate(*, as_json: bool) -> None:
    """Encrypt all tokens under the first of TOKEN_KEYS, so that the others can be given up.

    First give all processes TOKEN_KEYS=new,old; then run this; then give them TOKEN_KEYS=new.
    """
    import asyncio

    from service.cli.accounts.desk import counted, settings_for, tell

    done = asyncio.run(_rotate(settings_for("rotate", "token_keys")))
    rotated = counted(done.rotated, "account")
    tell(done, f"{rotated} rotated, {done.current:,} under the first key already", as_json=as_json)
    if done.unreadable:
        named = ", ".join(map(str, done.unreadable))
        msg = f"no key of TOKEN_KEYS opens the tokens of {named}: keep the key that does"
        raise click.ClickException(msg)


async def _rotate(settings: "Settings") -> "Rotation":
    from jobs.accounts import rotation
    from service.cli.accounts.desk import open_desk, progress

    async with open_desk(settings) as desk:
        with progress("encrypting") as moved:
            return await rotation.rotate(desk.register, desk.vault, moved)
