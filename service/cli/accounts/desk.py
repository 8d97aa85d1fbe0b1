"""What the commands on accounts have in common: settings, Redis, and how they tell."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import msgspec
import rich_click as click
from redis.asyncio import Redis
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from jobs.accounts.register import Register
from jobs.accounts.vault import Vault
from jobs.config.settings import Settings, SettingsError, environment, load
from jobs.ledger.ledger import Ledger
from jobs.redis import connect
from jobs.timing import Timing


@dataclass(frozen=True)
class Desk:
    """The accounts in Redis; made by `open_desk`."""

    settings: Settings
    redis: Redis
    streams: Redis
    timing: Timing
    ledger: Ledger
    register: Register

    @property
    def vault(self) -> Vault:
        """What opens and seals tokens; TOKEN_KEYS is known to be set."""
        return Vault(self.settings.token_keys)


def settings_for(command: str, *names: str) -> Settings:
    """Return the settings; raises SettingsError where one that the command needs is missing."""
    settings = load(environment(), role="tool")
    missing = [name for name in ("redis_url", *names) if not getattr(settings, name)]
    if missing:
        who = f"is required by callstream accounts {command}"
        raise SettingsError([f"{name.upper()}: {who}" for name in missing])
    return settings


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncGenerator[Desk]:
    """Connect to both Redis until the block ends."""
    timing = Timing().scaled(settings.timing_scale)
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect(settings.redis_url))
        streams_url = settings.streams_redis_url or settings.redis_url
        streams = await stack.enter_async_context(connect(streams_url))
        ledger = Ledger(redis, settings.namespace, timing)
        register = Register(redis, settings.namespace, ledger, timing)
        yield Desk(settings, redis, streams, timing, ledger, register)


def tell(told: object, words: str, *, as_json: bool, err: bool = False) -> None:
    """Print what was done: the struct as JSON, or else the words."""
    if as_json:
        words = msgspec.json.format(msgspec.json.encode(told)).decode()
    click.echo(words, err=err)


@contextmanager
def progress(what: str) -> Generator[Callable[[int, int], None]]:
    """Show a bar on a terminal's stderr; yields what moves it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
