"""The small parts of the client: what it remembers, how it waits, how it reads Redis' answers."""

import asyncio
from contextlib import suppress
from typing import cast

import pytest
from callstream_client import events, wire
from callstream_client.backoff import Backoff
from callstream_client.latest import Latest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tests.support.streams import entry

NOTICE = events.NoticeEvent(
    id="1", source="", type=events.TRIMMED, time="", data=events.NoticeData(partition=0)
)


def event(call_id: str, version: int) -> events.Event:
    """Return an event about a call."""
    fields = entry(call_id, version).items()
    return events.decode(
        {name.encode(): v if isinstance(v, bytes) else v.encode() for name, v in fields}
    )


def test_latest() -> None:
    """An event is new if it is newer than every remembered one of its call."""
    latest = Latest()
    latest.remember(event("1", 5))
    assert [latest.is_new(event("1", version)) for version in (4, 5, 6)] == [False, False, True]
    assert latest.is_new(event("2", 1))
    latest.remember(event("1", 3))
    assert not latest.is_new(event("1", 4))


def test_latest_is_bounded() -> None:
    """As many calls as allowed are remembered, those met last."""
    latest = Latest(2)
    for call_id, version in (("1", 5), ("2", 5), ("1", 6), ("3", 5)):
        latest.remember(event(call_id, version))
    assert [latest.is_new(event(call_id, 5)) for call_id in ("1", "2", "3")] == [False, True, False]


def test_latest_of_notices() -> None:
    """What is not about a call is always new and never remembered."""
    latest = Latest()
    latest.remember(NOTICE)
    assert latest.is_new(NOTICE)


def test_backoff() -> None:
    """Waits double up to their bound, each somewhere in its upper half, and begin anew."""
    backoff = Backoff(10, 40)
    assert backoff.fresh
    for length in (10, 20, 40, 40):
        assert length / 2 <= backoff.next_ms() <= length
        assert not backoff.fresh
    backoff.reset()
    assert backoff.fresh
    assert backoff.next_ms() <= 10


async def test_backoff_ends_when_stopped() -> None:
    """A wait ends as soon as it is stopped."""
    stopped = asyncio.Event()
    stopped.set()
    async with asyncio.timeout(5):
        await Backoff(60_000, 60_000).wait(stopped)


@given(st.integers(0, 2**48), st.integers(0, 2**64 - 1))
def test_before(ms: int, serial: int) -> None:
    """The id before an id is the highest that is lower; nothing is below the lowest."""
    below = wire.before(f"{ms}-{serial}")
    if (ms, serial) == (0, 0):
        assert below == "0-0"
    else:
        low_ms, low_serial = wire.position(below)
        assert (low_ms, low_serial) < (ms, serial)
        assert (ms, serial) in {(low_ms, low_serial + 1), (low_ms + 1, 0)}
        assert low_serial == 2**64 - 1 or low_ms == ms


@pytest.mark.parametrize(
    "answer",
    [
        [[b"calls:{0}", [(b"1-0", {b"a": b"b"})]]],
        {b"calls:{0}": [[(b"1-0", {b"a": b"b"})]]},
        {"calls:{0}": [[("1-0", {"a": "b"})]]},
    ],
)
def test_answers(answer: object) -> None:
    """Entries are read from both protocols, decoded by the client or not."""
    assert wire.entries_of(answer) == [("calls:{0}", [("1-0", {b"a": b"b"})])]


def test_no_answer() -> None:
    """A read that ended without an entry has none."""
    assert wire.entries_of(None) == []


async def test_block() -> None:
    """A read blocks for half of the client's socket timeout at most."""
    for timeout, expected in ((None, 1_000), (10.0, 1_000), (0.5, 250)):
        client: Redis = Redis(socket_timeout=timeout)
        assert wire.block_within(client, 1_000) == expected
        await client.aclose()


class Swallowing:
    """A client that answers although it was cancelled, as redis-py may before Python 3.12."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked = asyncio.Event()
        self._failure = failure

    async def execute_command(self, *words: object) -> bytes:
        """Wait to be cancelled, and answer."""
        self.asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        if self._failure:
            raise self._failure
        return b"%d words" % len(words)


@pytest.mark.parametrize("failure", [None, ConnectionError(), ResponseError("WRONGTYPE")])
async def test_cancellation_is_not_lost(failure: Exception | None) -> None:
    """A task that is cancelled within a command ends, whatever the client makes of it."""
    client = Swallowing(failure)
    task = asyncio.ensure_future(wire.ask(cast("Redis", client), "PING"))
    await client.asked.wait()
    task.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await task


def test_repr_hides_the_entry() -> None:
    """A delivery is printed without what was said on the call."""
    fields = {b"dataschema": b"urn:later", b"data": b"secret"}
    shown = repr(wire.delivery("calls:{0}", "1-0", fields))
    assert "calls:{0}" in shown
    assert "secret" not in shown
