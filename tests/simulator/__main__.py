"""`python -m tests.simulator`: the stand-in as a program of its own."""

import argparse
import asyncio
import contextlib
import signal
import sys

import msgspec
import uvloop

from tests.simulator.app import create_app
from tests.simulator.clock import parse_time
from tests.simulator.knobs import Knobs
from tests.simulator.settings import Settings
from tests.simulator.simulator import Simulator
from tests.simulator.wire import serving


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulator", description="A HubSpot to develop against."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8020, help="0 = any free one, printed at the start")
    add("--seed", type=int, default=1, help="the same seed is the same run")
    add("--portal-id", type=int, default=62515)
    add("--token", default="", help="the private token; drawn from the seed by default")
    add("--webhook-url", default="", help="where notifications go")
    add("--client-secret", default=Settings().client_secret, help="signs them")
    add("--calls", type=int, default=0, help="calls that the account starts with")
    add("--rate", type=float, default=0.0, help="changes per second")
    add("--accounts", type=int, default=0, help="further accounts, which share calls and changes")
    add("--start", type=parse_time, help="where the clock starts: a date, a time, or epoch ms")
    add("--frozen", action="store_true", help="the clock goes on only when it is moved")
    add(
        "--knob",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="turn a knob (spread_ms=200, rate_limit=190, …); may be repeated",
    )
    return parser


def read_settings(args: argparse.Namespace) -> Settings:
    """Return the settings that the command line asks for.

    Raises:
        msgspec.ValidationError: a knob is unknown or has a wrong value.
    """
    knobs = dict(item.partition("=")[::2] for item in args.knob)
    return Settings(
        seed=args.seed,
        portal_id=args.portal_id,
        token=args.token,
        webhook_url=args.webhook_url,
        client_secret=args.client_secret,
        start_ms=args.start,
        frozen=args.frozen,
        knobs=msgspec.convert(knobs, Knobs, strict=False),
    )


async def run(args: argparse.Namespace, settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    simulator = Simulator(settings)
    account = simulator.world.accounts[settings.portal_id]
    if args.calls:
        simulator.traffic.life(account).bulk(args.calls)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(create_app(simulator), args.host, args.port) as port:
        token = settings.token or simulator.world.private_token(settings.portal_id)
        url = f"http://{args.host}:{port}"
        ready = {
            "url": url,
            "portal_id": settings.portal_id,
            "token": token,
            "client_id": simulator.app.client_id,
            "client_secret": settings.client_secret,
            "app_id": simulator.app.id,
            "journal_client_id": simulator.journal_app.client_id,
            "journal_client_secret": settings.journal_secret,
            "developer_key": simulator.developer_key,
        }
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()
        if args.accounts:
            simulator.open_crowd(args.accounts, args.calls, args.rate)
        if args.rate:
            simulator.traffic.start(account, args.rate)
        await stop.wait()


def main() -> int:
    """Run the program and return its exit status."""
    parser = arguments()
    args = parser.parse_args()
    try:
        settings = read_settings(args)
    except msgspec.ValidationError as error:
        parser.error(f"--knob: {error}")
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run(args, settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
