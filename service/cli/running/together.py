"""Runs service, worker and, unless one is given, a Redis, and shows what they do.

All are children of this process and do not outlive it (`service.embedded.keeper`). They stop in
this order: service and worker together, then Redis.
"""

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from callstream_client.follow import NOW
from rich.console import Console
from rich.live import Live

from jobs.config.settings import Settings, load
from jobs.config.urls import redacted
from jobs.redis import connect
from service.addresses import require_free
from service.cli.running.board import Board, Line, Part, plain
from service.cli.running.children import Child, stop_all
from service.cli.running.screen import Screen
from service.cli.running.watch import Watch
from service.embedded.server import EmbeddedRedis
from service.subscriptions import WEBHOOK_PATH

DRAW_EVERY_S: Final = 0.125
TELL_EVERY_S: Final = 10.0
"""How often the counts are told where there is no screen."""
STOP_MARGIN_S: Final = 2.0
"""How much longer than SHUTDOWN_GRACE a child may take before it is killed."""
OLDEST: Final = "0"
"""The entry id before every event."""

Show = Callable[[Line], None]


@dataclass(frozen=True)
class Place:
    """Where the service listens, and whose calls it is about."""

    host: str
    port: int
    account: str

    @property
    def url(self) -> str:
        """The service as seen from this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


async def run_together(environ: Mapping[str, str], *, host: str, port: int, account: str) -> None:
    """Run everything until SIGTERM or SIGINT.

    Args:
        environ: the settings, which the children get as well.
        host: where the service listens.
        port: the port.
        account: the HubSpot account, in words.

    Raises:
        SettingsError: settings are missing or wrong.
        EmbeddedRedisError: there is no Redis to embed.
        AddressTakenError: somebody listens at host and port already.
        ChildEndedError: service or worker ended though nobody told them to.
    """
    load(environ, role="run")
    require_free(host, port)
    console = Console(highlight=False)
    async with contextlib.AsyncExitStack() as stack:
        stop = stack.enter_context(_signals())
        redis, environ = await _redis(environ, stack)
        folder = stack.enter_context(_log_folder()) if console.is_terminal else None
        watch = _start(environ, Place(host, port, account), redis, folder, stack)
        showing = _on_screen if console.is_terminal else _in_lines
        async with showing(console, watch.board) as show:
            await watch.until(stop, show)
        console.print(f"stopping after {watch.board.summary()}", soft_wrap=True)


@contextlib.contextmanager
def _signals() -> Generator[asyncio.Event]:
    """Return an event that SIGTERM or Ctrl-C sets."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _log_folder() -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="callstream-logs-") as folder:
        yield Path(folder)


async def _redis(
    environ: Mapping[str, str], stack: contextlib.AsyncExitStack
) -> tuple[Part, dict[str, str]]:
    """Return which Redis is used, and the environment with its address."""
    given = load(environ, role="run").redis_url
    if given:
        return Part("Redis", "given", redacted(given), "starting"), dict(environ)
    server = await stack.enter_async_context(EmbeddedRedis(port=0))
    part = Part("Redis", f"embedded, {server.binary}", server.url, "starting")
    return part, {**environ, "REDIS_URL": server.url}


def _start(
    environ: Mapping[str, str],
    place: Place,
    redis: Part,
    log_folder: Path | None,
    stack: contextlib.AsyncExitStack,
) -> Watch:
    """Start the children; the stack will stop them before it stops Redis."""
    settings = load(environ, role="consumer")
    ledger, streams = connect(settings.redis_url), connect(settings.streams_redis_url)
    stack.push_async_callback(ledger.aclose)
    stack.push_async_callback(streams.aclose)
    children: list[Child] = []
    stack.push_async_callback(_stop, children, settings.shutdown_grace + STOP_MARGIN_S)
    inherited = {"LOG_FORMAT": "json", **environ} if log_folder else environ
    listen = ["--host", place.host, "--port", str(place.port)]
    for name, arguments in {"service": listen, "worker": []}.items():
        children.append(Child(name, arguments, inherited, log_folder))
    hubspot = Part("HubSpot", place.account, settings.hubspot_api_url)
    service = Part("Service", "takes notifications", f"{place.url}{WEBHOOK_PATH}", "starting")
    worker = Part("Worker", "reads marked calls, publishes", "", "starting")
    count = settings.stream_partitions
    streams_named = f"{settings.namespace}:calls:" if settings.namespace else "calls:"
    stream = Part(
        "Stream",
        "one normalised event per state",
        f"{streams_named}{{0}}" + (f" to {streams_named}{{{count - 1}}}" if count > 1 else ""),
    )
    return Watch(
        board=Board([hubspot, service, worker, redis, stream], _hint(settings)),
        children=children,
        ledger=ledger,
        streams=streams,
        namespace=settings.namespace,
        since=OLDEST if redis.what.startswith("embedded") else NOW,
        ready_url=f"{place.url}/health/ready",
        service=service,
        worker=worker,
        redis=redis,
    )


def _hint(settings: Settings) -> str:
    """Return how to read along; the address only where it holds no password."""
    program = Path(os.path.relpath(Path(sys.prefix, "bin", "callstream")))
    address = f"REDIS_URL={shlex.quote(redacted(settings.streams_redis_url))} "
    name = f"NAMESPACE={settings.namespace} " if settings.namespace else ""
    return f"Read along: {address}{name}{program} tail"


async def _stop(children: list[Child], within_s: float) -> None:
    """Stop the children together, and leave none."""
    await stop_all(children, within_s)
    for child in children:
        await asyncio.to_thread(child.close)


@contextlib.asynccontextmanager
async def _on_screen(console: Console, board: Board) -> AsyncGenerator[Show]:
    """Draw the board until the block ends."""
    with Live(Screen(board), console=console, auto_refresh=False) as live:

        async def draw() -> None:
            while True:
                live.refresh()
                await asyncio.sleep(DRAW_EVERY_S)

        async with _task(draw()):
            yield lambda _: None
            live.refresh()


@contextlib.asynccontextmanager
async def _in_lines(console: Console, board: Board) -> AsyncGenerator[Show]:
    """Print the parts, each event and now and then the counts, until the block ends."""

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, markup=False)

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            say(board.summary())

    for part in board.parts:
        say(f"{part.name}: {part.what} {part.where}".rstrip())
    say(board.hint)
    async with _task(tell()):
        yield lambda line: say(plain(line))


@contextlib.asynccontextmanager
async def _task(work: Coroutine[None, None, None]) -> AsyncGenerator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
