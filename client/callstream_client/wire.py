"""Asks Redis about streams and gives its answers types.

Two things may go wrong that are worth trying again: Redis is away (`AwayError`), and the consumer
group is not there (`GroupGoneError`), as after data was lost. Everything else is a mistake, such as
missing rights, and raises as redis-py raises it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec
from redis import exceptions
from redis.asyncio import Redis

from callstream_client import keys
from callstream_client.events import Event, decode

ANSWER_S: Final = 10.0
"""How long an answer may take, on top of the time for which a read may block."""

Fields = dict[bytes, bytes]
Entries = list[tuple[str, Fields]]
"""Entry ids with their fields; none for an entry that was trimmed while it was pending."""

_AWAY: Final = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)
# redis-py counts these among connection errors; waiting does not mend them.
_REFUSED: Final = (exceptions.AuthenticationError, exceptions.AuthorizationError)
# Words that servers begin an error with while they cannot serve for the moment.
_BUSY: Final = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "READONLY", "UNBLOCKED")


class AwayError(Exception):
    """Redis did not answer, or said that it cannot for the moment."""


class GroupGoneError(Exception):
    """The consumer group does not exist."""


class Delivery(msgspec.Struct, frozen=True):
    """An event, and where it lies."""

    stream: str
    """The key of the stream."""
    entry_id: str
    """Its place on the stream."""
    event: Event
    fields: Mapping[bytes, bytes]
    """The entry itself, with fields that this release does not know."""

    def __repr__(self) -> str:
        """Return where it lies and what it is, without the entry's values."""
        return f"Delivery({self.stream!r}, {self.entry_id!r}, {self.event!r})"


async def ask(redis: Redis, *words: str | int, block_ms: int = 0) -> object:
    """Run a command; raises AwayError, GroupGoneError, or `redis.RedisError` for a refusal."""
    cancelled_before = _cancellations()
    try:
        async with asyncio.timeout(ANSWER_S + block_ms / 1_000):
            return cast("object", await redis.execute_command(*words))
    except _REFUSED:
        raise
    except _AWAY as error:
        raise AwayError(type(error).__name__) from error
    except exceptions.ResponseError as error:
        if str(error).startswith(("NOGROUP", "no such key")):
            raise GroupGoneError from error
        if str(error).startswith(_BUSY):
            raise AwayError(str(error).partition(" ")[0]) from error
        raise
    finally:
        # redis-py sends with asyncio.wait_for, which before Python 3.12 swallows a cancellation
        # that comes at the moment when sending is done.
        if _cancellations() > cancelled_before:
            raise asyncio.CancelledError


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def partitions(redis: Redis, namespace: str) -> int:
    """Return how many streams there are; 0 before the first publisher has announced them."""
    found = await ask(redis, "HGET", keys.meta(namespace), keys.META_PARTITIONS)
    return int(text(found)) if found is not None else 0


def entries_of(answer: object) -> list[tuple[str, Entries]]:
    """Return what XREAD or XREADGROUP answered: the entries by stream."""
    if isinstance(answer, dict):  # RESP3
        listed = cast("Mapping[object, list[list[object]]]", answer).items()
        return [(text(key), entries(batches[0])) for key, batches in listed]
    return [(text(key), entries(batch)) for key, batch in cast("list[list[object]]", answer or [])]


def entries(batch: object) -> Entries:
    """Return a list of entries; one that is named without its id is left out."""
    listed = cast("Sequence[tuple[object, Mapping[object, object] | None]]", batch or ())
    return [(text(one), _fields(found)) for one, found in listed if one is not None]


def delivery(stream: str, entry_id: str, fields: Fields) -> Delivery:
    """Return the event of an entry."""
    return Delivery(stream, entry_id, decode(fields), fields)


def block_within(redis: Redis, wanted_ms: int) -> int:
    """Return how long a read may block: half of the client's socket timeout at most."""
    given = cast("Mapping[str, object]", redis.connection_pool.connection_kwargs)
    limit = given.get("socket_timeout")
    return min(wanted_ms, int(limit * 500)) if isinstance(limit, int | float) else wanted_ms


def text(value: object) -> str:
    """Return what Redis sent as text, whether or not the client decodes answers."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _fields(found: Mapping[object, object] | None) -> Fields:
    return {_bytes(name): _bytes(value) for name, value in (found or {}).items()}


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def claimed(answer: object) -> tuple[str, Entries, int]:
    """Return of XAUTOCLAIM where it goes on, the entries, and how many came without their id."""
    cursor, batch = cast("list[object]", answer)[:2]  # from 7.0 on the deleted ids follow
    named = entries(batch)
    return text(cursor), named, len(cast("list[object]", batch)) - len(named)


def delivered(answer: object, group: str) -> str:
    """Return of XINFO GROUPS the id that the group was given last.

    Raises:
        GroupGoneError: it is not among them.
    """
    for row in cast("list[Mapping[str, object]]", answer):
        if text(row["name"]) == group:
            return text(row["last-delivered-id"])
    raise GroupGoneError


def lowest_pending(answer: object) -> str | None:
    """Return of XPENDING the lowest id that waits for its acknowledgement, None if none does."""
    lowest = cast("Mapping[str, object]", answer)["min"]
    return None if lowest is None else text(lowest)


def position(entry_id: str) -> tuple[int, int]:
    """Return an entry id as numbers, which order as entries do."""
    ms, _, serial = entry_id.partition("-")
    return int(ms), int(serial or 0)


def before(entry_id: str) -> str:
    """Return the highest id that is lower than the given one."""
    ms, serial = position(entry_id)
    if serial:
        return f"{ms}-{serial - 1}"
    return f"{ms - 1}-{2**64 - 1}" if ms else "0-0"
