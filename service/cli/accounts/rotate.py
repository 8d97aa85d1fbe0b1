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

    First give all processes TOKEN_KEYS=old,new, then TOKEN_KEYS=new,old; then run this; then give
    them TOKEN_KEYS=new. Dead letters are not sealed anew: replay or drop those that are counted
    before you give up the old key.
    """
    import asyncio

    from service.cli.accounts.desk import counted, settings_for, tell

    done = asyncio.run(_rotate(settings_for("rotate", "token_keys")))
    rotated = counted(done.rotated, "account")
    tell(done, f"{rotated} rotated, {done.current:,} under the first key already", as_json=as_json)
    if done.outdated_letters:
        letters = counted(done.outdated_letters, "dead letter opens", "dead letters open")
        click.echo(
            f"{letters} under an older key only: replay or drop them before you give it up, or do "
            "without their bytes",
            err=True,
        )
    if done.unreadable:
        named = ", ".join(map(str, done.unreadable))
        msg = f"no key of TOKEN_KEYS opens the tokens of {named}: keep the key that does"
        raise click.ClickException(msg)


async def _rotate(settings: "Settings") -> "Rotation":
    import msgspec

    from jobs.accounts import rotation
    from jobs.deadletters.outdated import count_outdated
    from service.cli.accounts.desk import open_desk, progress

    async with open_desk(settings) as desk:
        with progress("encrypting") as moved:
            done = await rotation.rotate(desk.register, desk.vault, moved)
        outdated = await count_outdated(desk.redis, settings.namespace, desk.vault)
        return msgspec.structs.replace(done, outdated_letters=outdated)
