"""Tickets, stamps and versions: who may publish, and under which number."""

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.redis import command
from jobs.stream.stream import Lagging, Overtaken, Published, Stream, Unchanged
from jobs.timing import Timing
from tests.support.candidates import (
    PORTAL,
    UPDATED_AT_MS,
    archived,
    entries,
    gone,
    live,
    publish,
    record_of,
    types,
)
from tests.support.waiting import until

HOUR_MS = 3_600_000
REFUSED = f"refused:{{0}}:{PORTAL}"


@pytest.fixture
def stream(redis: Redis) -> Stream:
    """One partition without a namespace."""
    return Stream(redis, "", Timing(), 1)


async def _now(redis: Redis) -> int:
    seconds, micros = msgspec.convert(await command(redis, "TIME"), tuple[int, int])
    return seconds * 1000 + micros // 1000


async def _lose_clock(redis: Redis) -> None:
    await command(redis, "DEL", "clock:{0}")


async def test_tickets_rise(redis: Redis, stream: Stream) -> None:
    """Each ticket is higher than the one before and not behind the server's time."""
    before = await _now(redis)
    tickets = [await stream.ticket(0) for _ in range(500)]
    assert tickets == sorted(set(tickets))
    assert tickets[0] >= before


async def test_clock_follows_its_processes(redis: Redis, stream: Stream) -> None:
    """A server that lost its clock, and whose time is behind, takes it from who has seen it."""
    ahead = await _now(redis) + HOUR_MS
    await command(redis, "SET", "clock:{0}", ahead)
    ticket = await stream.ticket(0)
    await _lose_clock(redis)
    assert await stream.ticket(0) >= ticket > ahead
    await _lose_clock(redis)
    [outcome] = await publish(stream, live("512", await stream.ticket(0)))
    assert isinstance(outcome, Published)
    await _lose_clock(redis)
    assert await stream.ticket(0) >= outcome.version > ahead


async def test_clock_follows_its_records(redis: Redis, stream: Stream) -> None:
    """A clock that was lost catches up with the first record it meets: one read more, no wait."""
    await command(redis, "SET", "clock:{0}", await _now(redis) + HOUR_MS)
    [first] = await publish(stream, live("512", await stream.ticket(0)))
    assert isinstance(first, Published)
    await _lose_clock(redis)
    other = Stream(redis, "", Timing(), 1)
    ticket = await other.ticket(0)
    assert ticket < first.version
    assert await publish(other, live("512", ticket, "Another")) == [Overtaken()]
    [second] = await publish(other, live("512", await other.ticket(0), "Another"))
    assert isinstance(second, Published)
    assert second.version > first.version


async def test_versions_rise_without_a_clock(redis: Redis, stream: Stream) -> None:
    """A version is higher than the call's last one whatever became of the clock."""
    await command(redis, "SET", "clock:{0}", await _now(redis) + HOUR_MS)
    [first] = await publish(stream, live("512", await stream.ticket(0)))
    ticket = await stream.ticket(0)
    await _lose_clock(redis)
    [second] = await publish(Stream(redis, "", Timing(), 1), live("512", ticket, "Another"))
    assert isinstance(first, Published)
    assert isinstance(second, Published)
    assert second.version > first.version


async def test_overtaken_by_a_publication(redis: Redis, stream: Stream) -> None:
    """A read that began before another's publication is read again."""
    early, late = await stream.ticket(0), await stream.ticket(0)
    await publish(stream, live("512", late, "Another"))
    assert await publish(stream, live("512", early)) == [Overtaken()]
    assert await types(redis, "512") == ["created"]


async def test_overtaken_by_a_confirmation(redis: Redis, stream: Stream) -> None:
    """A read that began before another confirmed the published state is read again."""
    await publish(stream, live("512", await stream.ticket(0)))
    early = await stream.ticket(0)
    assert await publish(stream, live("512", await stream.ticket(0))) == [Unchanged()]
    assert await publish(stream, live("512", early, "Another")) == [Overtaken()]
    assert len(await entries(redis)) == 1


async def test_early_reader_of_the_same_state(stream: Stream) -> None:
    """A read that began early but found the published state confirms it."""
    early = await stream.ticket(0)
    await publish(stream, live("512", await stream.ticket(0)))
    between = await stream.ticket(0)
    assert await publish(stream, live("512", early)) == [Unchanged()]
    assert await publish(stream, live("512", between, "Another")) == [Overtaken()]


async def test_equal_updated_at_is_not_older(stream: Stream) -> None:
    """A change that does not move `updatedAt`, such as an association, is published."""
    await publish(stream, live("512", await stream.ticket(0)))
    [outcome] = await publish(stream, live("512", await stream.ticket(0), "Another"))
    assert isinstance(outcome, Published)
    assert not outcome.reverted


async def test_lagging_is_counted(stream: Stream) -> None:
    """An older state is refused and counted, another older state is counted anew."""
    await publish(stream, live("512", await stream.ticket(0)))
    told = [
        await publish(stream, live("512", await stream.ticket(0), title, UPDATED_AT_MS - 1))
        for title in ("Old", "Old", "Older", "Older", "Older", "Older")
    ]
    assert told == [[Lagging(times)] for times in (1, 2, 1, 2, 3, 4)]


async def test_archived_may_lag(stream: Stream) -> None:
    """An archived state with an older `updatedAt` is refused like a live one."""
    await publish(stream, live("512", await stream.ticket(0), "A", UPDATED_AT_MS + 1))
    assert await publish(stream, archived("512", await stream.ticket(0))) == [Lagging(1)]


async def test_gone_does_not_lag(stream: Stream) -> None:
    """A call that is gone has no `updatedAt` and is not refused for it, and keeps the known one."""
    await publish(stream, live("512", await stream.ticket(0)))
    [outcome] = await publish(stream, gone("512", await stream.ticket(0)))
    assert isinstance(outcome, Published)
    assert (await record_of(stream, "512")).updated_at_ms == UPDATED_AT_MS


async def test_confirmation_ends_the_count(redis: Redis, stream: Stream) -> None:
    """HubSpot giving the published state again means that the older one was a replica's."""
    await publish(stream, live("512", await stream.ticket(0)))
    await publish(stream, live("512", await stream.ticket(0), "Old", UPDATED_AT_MS - 1))
    assert await command(redis, "HLEN", REFUSED) == 1
    await publish(stream, live("512", await stream.ticket(0)))
    assert await command(redis, "HLEN", REFUSED) == 0
    old = live("512", await stream.ticket(0), "Old", UPDATED_AT_MS - 1)
    current = live("512", old.ticket)
    assert await publish(stream, old, current) == [Lagging(1), Unchanged()]
    assert await command(redis, "HLEN", REFUSED) == 0


async def test_refusals_expire(redis: Redis, stream: Stream) -> None:
    """What was refused is forgotten when nobody asks again."""
    await publish(stream, live("512", await stream.ticket(0)))
    await publish(stream, live("512", await stream.ticket(0), "Old", UPDATED_AT_MS - 1))
    left = await command(redis, "PTTL", REFUSED)
    assert isinstance(left, int)
    assert 0 < left <= 10 * Timing().revert_after_ms


async def test_hubspot_goes_back(redis: Redis) -> None:
    """An older state that HubSpot insists on is published, marked as such, and holds from then."""
    stream = Stream(redis, "", Timing(revert_after_ms=50), 1)
    await publish(stream, live("512", await stream.ticket(0)))
    begun = await _now(redis)

    async def is_published() -> bool:
        old = live("512", await stream.ticket(0), "Old", UPDATED_AT_MS - 1)
        [outcome] = await publish(stream, old)
        return isinstance(outcome, Published) and outcome.reverted

    await until(is_published)
    assert await _now(redis) - begun >= 50
    assert (await record_of(stream, "512")).updated_at_ms == UPDATED_AT_MS - 1
    assert await command(redis, "EXISTS", REFUSED) == 0
    middling = live("512", await stream.ticket(0), "Middling", UPDATED_AT_MS - 1)
    [outcome] = await publish(stream, middling)
    assert isinstance(outcome, Published)
    assert not outcome.reverted


async def test_record_says_what_was_published(stream: Stream) -> None:
    """A record holds the last version, when it was confirmed, and HubSpot's latest `updatedAt`."""
    candidate = live("512", await stream.ticket(0))
    [outcome] = await publish(stream, candidate)
    assert isinstance(outcome, Published)
    record = await record_of(stream, "512")
    assert record.version == record.stamp == outcome.version
    assert record.digest == candidate.digest
    assert record.state == "live"
    again = live("512", await stream.ticket(0), updated_at_ms=UPDATED_AT_MS + 5)
    await publish(stream, again)
    confirmed = await record_of(stream, "512")
    assert confirmed.version == outcome.version
    assert confirmed.stamp > again.ticket
    assert confirmed.updated_at_ms == UPDATED_AT_MS + 5
