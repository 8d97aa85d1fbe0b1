"""What the commands on dead letters have in common: Redis, which letters are meant, the words."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import rich_click as click
from rich.table import Table

from jobs.config.settings import Settings, environment, load
from jobs.deadletters.box import Box
from jobs.deadletters.bulk import Ring
from jobs.deadletters.envelope import Envelope
from jobs.deadletters.letters import Letter, Selection, is_letter_id
from jobs.deadletters.times import TimeError, moment_ms
from jobs.ledger.ledger import Ledger
from jobs.queue import Doorbells, connect_queue
from jobs.redis import connect
from jobs.timing import Timing


@dataclass(frozen=True)
class Desk:
    """The dead letters of one deployment; made by `open_desk`."""

    box: Box
    envelope: Envelope
    ring: Ring


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncGenerator[Desk]:
    """Connect to the settings' Redis until the block ends."""
    timing = Timing().scaled(settings.timing_scale)
    namespace = settings.namespace
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect(settings.redis_url))
        queue = connect_queue(settings.redis_url, namespace, "live")
        stack.push_async_callback(queue.aclose, close_connection_pool=True)
        box = Box(redis, namespace, Ledger(redis, namespace, timing))
        yield Desk(box, Envelope(settings.token_keys), Doorbells(queue, namespace).ring)


def settings() -> Settings:
    """Return the settings; raises SettingsError without a REDIS_URL."""
    return load(environment(), role="consumer")


def selection_of(*, reason: str, portal: int | None, since: str, until: str) -> Selection:
    """Return which letters the options mean; raises BadParameter for a time that is none."""
    return Selection(
        reason=reason,
        portal_id=portal,
        since_ms=_moment(since, "--since") or 0,
        until_ms=_moment(until, "--until"),
    )


def _moment(text: str, option: str) -> int | None:
    if not text:
        return None
    try:
        return moment_ms(text)
    except TimeError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def checked_ids(letter_ids: Sequence[str]) -> Sequence[str]:
    """Return the ids; raises BadParameter if one cannot be a letter's."""
    for letter_id in letter_ids:
        if not is_letter_id(letter_id):
            msg = f"{letter_id!r} is no id such as 1764000000000-0: see callstream dead list"
            raise click.BadParameter(msg, param_hint="ID")
    return letter_ids


def require_choice(letter_ids: Sequence[str], selection: Selection, *, everything: bool) -> None:
    """Fail unless it is said which letters are meant, in one way."""
    filtered = selection != Selection()
    if not (letter_ids or filtered or everything):
        msg = "say which: ids, --reason, --portal, --since, --until, or --all"
        raise click.UsageError(msg)
    if letter_ids and (filtered or everything):
        msg = "ids and other choices do not go together"
        raise click.UsageError(msg)


def table(letters: Sequence[Letter]) -> Table:
    """Return letters as a table."""
    rows = Table("id", "set aside", "reason", "account", "call", "tries", "error")
    for letter in letters:
        rows.add_row(
            letter.id,
            letter.at,
            letter.reason,
            str(letter.portal_id or ""),
            letter.call_id or "",
            str(letter.attempts or ""),
            letter.error,
        )
    return rows


def words(letter: Letter) -> str:
    """Return all that is told of a letter, a line each."""
    how = {"stripped": "without values", "sealed": "encrypted", "open": "as they came"}
    told = {
        "id": letter.id,
        "set aside": letter.at,
        "reason": letter.reason,
        "account": letter.portal_id or "not known",
        "call": letter.call_id or "not known",
        "brought by": letter.origin,
        "attempts": letter.attempts,
        "first error": f"{letter.first_error} ({letter.first_at})",
        "last error": letter.error,
        "bytes": f"{letter.raw_bytes:,}, {how[letter.kept]}" if letter.kept else "not kept",
    }
    return "\n".join(f"{name + ':':<13}{value}" for name, value in told.items())
