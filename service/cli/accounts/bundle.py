"""`callstream accounts export` and `callstream accounts import`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import rich_click as click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.accounts.bundle import Passenger
    from jobs.config.settings import Settings

STANDARD: Final = Path("-")
_FILE = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


class Exported(msgspec.Struct, frozen=True):
    """What was exported."""

    accounts: int
    left_out: tuple[int, ...]
    """Accounts that are disconnected: their tokens are void."""


class Imported(msgspec.Struct, frozen=True):
    """What was imported."""

    accounts: int
    kept: tuple[int, ...]
    """Accounts that are connected here, and were left as they are."""


@click.command()
@click.argument("file", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON about it.")
def export(*, file: Path, as_json: bool) -> None:
    """Write the connected accounts and their tokens to FILE, encrypted; - is stdout.

    It opens under the TOKEN_KEYS of today only: keep them apart from it. What is known of calls is
    not in it.
    """
    import asyncio

    from service.cli.accounts.desk import counted, settings_for, tell

    raw, done = asyncio.run(_export(settings_for("export", "token_keys")))
    if file == STANDARD:
        sys.stdout.buffer.write(raw)
    else:
        _write(file, raw)
    words = f"{counted(done.accounts, 'account')} exported"
    if done.left_out:
        named = ", ".join(map(str, done.left_out))
        words += f"; left out, because HubSpot refuses their tokens: {named}"
    tell(done, words, as_json=as_json, err=file == STANDARD)


async def _export(settings: "Settings") -> tuple[bytes, Exported]:
    from jobs.accounts.bundle import pack
    from service.cli.accounts.desk import open_desk

    async with open_desk(settings) as desk:
        records = await desk.register.records(await desk.register.portals())
        connected = [record for record in records if not record.void]
        void = tuple(record.portal_id for record in records if record.void)
        return pack(desk.vault, connected), Exported(len(connected), void)


def _write(file: Path, raw: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = file.with_name(f"{file.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(raw)
    part.replace(file)


@click.command("import")
@click.argument("file", type=_FILE)
@click.option("--replace", is_flag=True, help="Replace the tokens of accounts connected here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_(*, file: Path, replace: bool, as_json: bool) -> None:
    """Connect the accounts of an exported FILE; - is stdin.

    Needs the key that the file was written under among TOKEN_KEYS. Accounts that are connected here
    already are left as they are.
    """
    import asyncio

    from jobs.accounts.bundle import unpack
    from jobs.accounts.vault import Vault
    from service.cli.accounts.desk import counted, settings_for, tell

    settings = settings_for("import", "token_keys")
    raw = sys.stdin.buffer.read() if file == STANDARD else file.read_bytes()
    passengers = unpack(Vault(settings.token_keys), raw)
    done = asyncio.run(_import(settings, passengers, replace=replace))
    words = f"{counted(done.accounts, 'account')} imported"
    if done.kept:
        words += f"; connected here already: {', '.join(map(str, done.kept))}"
    tell(done, words, as_json=as_json)


async def _import(
    settings: "Settings", passengers: "Sequence[Passenger]", *, replace: bool
) -> Imported:
    from contextlib import AsyncExitStack

    from jobs.accounts.bundle import issue_of
    from jobs.queue import Doorbells, connect_queue
    from service.cli.accounts.desk import open_desk

    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(open_desk(settings))
        queue = connect_queue(settings.redis_url, settings.namespace, "live")
        stack.push_async_callback(queue.aclose, close_connection_pool=True)
        doorbells = Doorbells(queue, settings.namespace)
        records = await desk.register.records([one.portal_id for one in passengers])
        here = {record.portal_id for record in records if not record.void}
        kept = tuple(one.portal_id for one in passengers if one.portal_id in here and not replace)
        now = await desk.register.now()
        for passenger in passengers:
            if passenger.portal_id not in kept:
                issue = issue_of(desk.vault, passenger, now)
                await doorbells.ring(await desk.register.install(passenger.portal_id, issue))
        return Imported(len(passengers) - len(kept), kept)
