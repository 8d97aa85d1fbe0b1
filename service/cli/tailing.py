"""Follows the streams and prints what lands, as lines to be read or as JSON."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Final

import msgspec
from callstream_client import CallEvent, Delivery, NoticeEvent, UnknownEvent, follow, wire
from callstream_client.follow import NOW
from callstream_client.wire import AwayError
from redis.asyncio import Redis
from rich.console import Console
from rich.text import Text

from jobs import instants
from jobs.config.urls import redacted
from jobs.redis import connect
from service.cli.running.board import line_of
from service.cli.running.screen import COLORS

_AGE: Final = re.compile(r"(\d{1,9})([smhd])").fullmatch
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class TailError(Exception):
    """The streams cannot be followed; the message says why."""


class Wanted(msgspec.Struct, frozen=True):
    """Which events are shown."""

    portal_id: int | None = None
    call_id: str | None = None
    types: frozenset[str] = frozenset()
    """Full event types; empty = all."""
    count: int | None = None
    """How many; None = without end."""

    def holds(self, delivery: Delivery) -> bool:
        """Return True if the event is to be shown."""
        event = delivery.event
        if isinstance(event, UnknownEvent):
            return self.portal_id is None and self.call_id is None and not self.types
        if self.types and event.type not in self.types:
            return False
        if self.portal_id is not None and event.data.portal_id != self.portal_id:
            return False
        return self.call_id is None or (
            isinstance(event, CallEvent) and event.data.call_id == self.call_id
        )


def start_of(since: str | None, now_ms: int) -> str:
    """Return the entry id after which events are shown.

    Raises:
        ValueError: `since` is neither an age nor a time.
    """
    if since is None:
        return NOW
    if age := _AGE(since):
        start_ms = now_ms - int(age[1]) * _UNIT_MS[age[2]]
    elif moment := instants.parse(since):
        start_ms = instants.to_ms(moment)
    else:
        msg = "neither an age such as 15m nor a time such as 2024-01-15T11:00:00Z"
        raise ValueError(msg)
    return wire.before(f"{max(start_ms, 0)}-0")


def types_of(kinds: Iterable[str]) -> frozenset[str]:
    """Return full event types for full ones and for their last words alike."""
    return frozenset(kind if "." in kind else f"callstream.call.{kind}" for kind in kinds)


async def tail(
    url: str, namespace: str, start: str, wanted: Wanted, show: Callable[[Delivery], None]
) -> None:
    """Show the wanted events until there were enough of them, or until SIGINT or SIGTERM.

    Raises:
        TailError: the Redis at `url` does not answer.
        redis.RedisError: it refuses.
    """
    redis = connect(url)
    try:
        await _check(redis, url, namespace)
        deliveries = follow(redis, namespace=namespace, since=start)
        async with aclosing(deliveries):
            await _until_signal(_show(deliveries, wanted, show))
    finally:
        await redis.aclose()


def print_line(delivery: Delivery) -> None:
    """Print an event as a line to be read."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(line(delivery))


def print_json(delivery: Delivery) -> None:
    """Print an event as one line of JSON."""
    sys.stdout.write(json_of(delivery) + "\n")
    sys.stdout.flush()


def line(delivery: Delivery) -> Text:
    """Return an event as a line to be read: nothing of it but the title was said on the call."""
    event = delivery.event
    at_ms = wire.position(delivery.entry_id)[0]
    text = Text()
    text.append(f"{_local_time(at_ms)}  ", style="dim")
    if isinstance(event, CallEvent):
        _append_call(text, delivery.entry_id, event)
    elif isinstance(event, NoticeEvent):
        data = event.data
        kind = event.type.removeprefix("callstream.")
        account = "" if data.portal_id is None else f"  account {data.portal_id}"
        span = f"  {data.first_id} to {data.last_id}" if data.first_id else ""
        groups = f"  unread by {', '.join(data.groups)}" if data.groups else ""
        told = f"{kind}{account}  partition {data.partition}{span}{groups}"
        text.append(_printable(told), style="bold yellow")
    else:
        text.append(_printable(f"not understood: {event.reason}"), style="yellow")
    return text


def json_of(delivery: Delivery) -> str:
    """Return an event in CloudEvents' JSON form, with its place on the streams beside it."""
    members: dict[str, object] = {"stream": delivery.stream, "entryid": delivery.entry_id}
    for name, value in delivery.fields.items():
        members[name.decode(errors="replace")] = value.decode(errors="replace")
    with suppress(ValueError, RecursionError):  # data of a later release may be no JSON
        data = delivery.fields.get(b"data", b"null")
        msgspec.json.decode(data)
        members["data"] = msgspec.Raw(msgspec.json.format(data, indent=-1))
    return msgspec.json.encode(members).decode()


def _append_call(text: Text, entry_id: str, event: CallEvent) -> None:
    shown = line_of(entry_id, event)
    call = event.data.call
    facts = [call.direction, call.status, _length(call.duration_ms)] if call else []
    text.append(f"{_printable(shown.kind):<8}  ", style=COLORS.get(shown.kind, "bold"))
    text.append(f"{shown.portal_id}:{_printable(shown.call_id)}", style="bold")
    if shown.title:
        text.append(f"  {_printable(shown.title)}")
    if told := " ".join(fact for fact in facts if fact):
        text.append(f"  {_printable(told)}", style="dim")
    if event.data.merged_into:
        text.append(f"  merged into {_printable(event.data.merged_into)}", style="dim")
    if shown.changes:
        text.append(f"  [{_printable(shown.changes)}]", style="dim")
    if shown.age_ms is not None:
        text.append(f"  {shown.age_ms:,} ms after the change", style="dim")


def _local_time(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1_000).astimezone()
    return f"{moment:%H:%M:%S}.{at_ms % 1_000:03}"


def _length(duration_ms: int | None) -> str:
    if duration_ms is None:
        return ""
    minutes, seconds = divmod(duration_ms // 1_000, 60)
    return f"{minutes}:{seconds:02}"


def _printable(text: str) -> str:
    """Return the text without control characters: a title must not steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


async def _check(redis: Redis, url: str, namespace: str) -> None:
    try:
        announced = await wire.partitions(redis, namespace)
    except AwayError as error:
        msg = f"the streams' Redis at {redacted(url)} does not answer ({error})"
        raise TailError(msg) from error
    if not announced:
        sys.stderr.write("no streams yet; waiting for the first publisher\n")


async def _show(
    deliveries: AsyncIterator[Delivery], wanted: Wanted, show: Callable[[Delivery], None]
) -> None:
    shown = 0
    async for delivery in deliveries:
        if wanted.holds(delivery):
            show(delivery)
            shown += 1
            if shown == wanted.count:
                return


async def _until_signal(work: Coroutine[object, object, None]) -> None:
    """Do the work, or leave it when SIGINT or SIGTERM comes."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
