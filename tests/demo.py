"""`make run`: Callstream at work, on a stand-in for HubSpot or on a real account.

Without a HubSpot account in the environment or `.env` it starts the stand-in (`tests.simulator`),
whose calls change by themselves, and points `callstream run` at it. With one it only runs that.
"""

import asyncio
import contextlib
import secrets
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from typing import IO, Final

import aiohttp

from jobs.config.settings import environment
from service.addresses import AddressTakenError, free_port, require_free
from service.cli import errors_in_one_line, main
from service.cli.running.together import run_together
from service.embedded.child import Kept
from service.subscriptions import WEBHOOK_PATH

ACCOUNT: Final = ("HUBSPOT_ACCESS_TOKEN", "HUBSPOT_CLIENT_SECRET", "HUBSPOT_CLIENT_ID")
"""Any of these means a real account."""
HOST: Final = "127.0.0.1"
PORT: Final = 8000
"""Where the service listens, unless that is taken."""
PORTAL_ID: Final = 62515
RATE: Final = 3
"""Changes per second of the stand-in's calls."""
RATE_LIMIT: Final = 190
"""Requests per 10 s that the stand-in grants, as HubSpot does to a Professional account: each read
takes five, one for the calls and one for each kind of association."""
SPREAD_MS: Final = 60
"""The notifications of one change arrive within this time, as HubSpot's do."""
LATENCY_MS: Final = 40
"""How long the stand-in takes for an answer."""
START_WITHIN_S: Final = 30.0


class StandInError(Exception):
    """The stand-in did not start; the message is its last line."""


def start() -> None:
    """Run the demonstration until SIGTERM or Ctrl-C."""
    with errors_in_one_line():
        environ = environment()
        if any(environ.get(name) for name in ACCOUNT):
            main(["run", *sys.argv[1:]])
        asyncio.run(demonstrate(environ))


async def demonstrate(environ: Mapping[str, str]) -> None:
    """Start the stand-in and `callstream run` on it."""
    port = _port()
    here = f"http://{HOST}:{port}"
    secret, token = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    async with stand_in(f"{here}{WEBHOOK_PATH}", secret, token) as hubspot:
        settings = {
            "HUBSPOT_API_URL": hubspot,
            "HUBSPOT_ACCESS_TOKEN": token,
            "HUBSPOT_CLIENT_SECRET": secret,
            "HUBSPOT_PORTAL_ID": str(PORTAL_ID),
            "PUBLIC_URL": here,
        }
        account = f"account {PORTAL_ID}, simulated"
        await run_together({**environ, **settings}, host=HOST, port=port, account=account)


@contextlib.asynccontextmanager
async def stand_in(target: str, secret: str, token: str) -> AsyncGenerator[str]:
    """Run the stand-in and yield where its API is; its calls change once it answers.

    Raises:
        StandInError: it did not start.
    """
    port = free_port()
    options = {
        "port": port,
        "portal-id": PORTAL_ID,
        "token": token,
        "client-secret": secret,
        "webhook-url": target,
        "rate": RATE,
    }
    knobs = {"spread_ms": SPREAD_MS, "latency_ms": LATENCY_MS, "rate_limit": RATE_LIMIT}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    arguments += [f"--knob={name}={value}" for name, value in knobs.items()]
    command = [sys.executable, "-m", "tests.simulator", *arguments]
    with tempfile.TemporaryFile() as log:
        process = Kept(command, output=log)
        try:
            process.start()
            url = f"http://{HOST}:{port}"
            await _answering(url, process, log)
            yield url
        finally:
            await asyncio.to_thread(process.close)


async def _answering(url: str, process: Kept, log: IO[bytes]) -> None:
    async with asyncio.timeout(START_WITHIN_S), aiohttp.ClientSession() as session:
        while process.running():
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url):
                    return
            await asyncio.sleep(0.05)
    log.seek(0)
    words = log.read().decode(errors="replace").split("\n")
    last = next((line for line in reversed(words) if line.strip()), "it said nothing")
    msg = f"the stand-in for HubSpot did not start: {last}"
    raise StandInError(msg)


def _port() -> int:
    try:
        require_free(HOST, PORT)
    except AddressTakenError:
        return free_port()
    return PORT


if __name__ == "__main__":
    start()
