"""What lands on a stream: events with all their attributes, of the right type, and no others."""

from collections.abc import Callable

import msgspec
import pytest
from callstream_client import events, keys
from redis.asyncio import Redis

from jobs.redis import command
from jobs.stream.stream import (
    Candidate,
    PartitionsChangedError,
    Published,
    StaleProjectionError,
    Stream,
    Unchanged,
    Unknown,
)
from jobs.timing import Timing
from tests.support.candidates import (
    PORTAL,
    WHEN,
    archived,
    entries,
    gone,
    live,
    merged,
    publish,
    types,
)


@pytest.fixture
def stream(redis: Redis) -> Stream:
    """One partition without a namespace."""
    return Stream(redis, "", Timing(), 1)


async def test_event_has_every_attribute(redis: Redis, namespace: str) -> None:
    """An event's fields are those of the contract, in its order, and its version is everywhere."""
    stream = Stream(redis, namespace, Timing(), 1)
    ticket = await stream.ticket(0)
    [outcome] = await publish(stream, live("512", ticket))
    assert isinstance(outcome, Published)
    [(_, fields)] = await entries(redis, namespace)
    assert list(fields.items()) == [
        ("specversion", "1.0"),
        ("id", f"62515:512:{outcome.version}"),
        ("source", "/callstream/tenant-1/hubspot/portals/62515"),
        ("type", "callstream.call.created"),
        ("subject", "512"),
        ("time", WHEN),
        ("datacontenttype", "application/json"),
        ("dataschema", "urn:callstream:schema:call-event:v1"),
        ("partitionkey", "62515:512"),
        ("sequence", f"{outcome.version:020}"),
        ("data", '{"title":"Discovery Call"}'),
    ]


async def test_traceparent(redis: Redis, stream: Stream) -> None:
    """A trace's context is a field of its own, at its place."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    candidate = msgspec.structs.replace(live("512", await stream.ticket(0)), traceparent=trace)
    await publish(stream, candidate)
    [(_, fields)] = await entries(redis)
    assert tuple(fields) == events.FIELDS
    assert fields["traceparent"] == trace


async def test_payload_is_untouched(redis: Redis, stream: Stream) -> None:
    """A payload arrives byte by byte, whatever it holds."""
    title = 'a "quote", a \x00, a line\nbreak, 電話 and 📞 ' * 5_000
    await publish(stream, live("9223372036854775807", await stream.ticket(0), title))
    [(_, fields)] = await entries(redis)
    assert msgspec.json.decode(fields["data"]) == {"title": title}
    assert fields["id"].startswith("62515:9223372036854775807:")


@pytest.mark.parametrize("first", ["created", "snapshot"])
async def test_first_type_of_a_live_call(redis: Redis, stream: Stream, first: str) -> None:
    """A live call that was never seen is created or a snapshot, as its reader says."""
    ticket = await stream.ticket(0)
    candidate = msgspec.structs.replace(live("512", ticket), first_type=first)
    await publish(stream, candidate)
    assert await types(redis, "512") == [first]


@pytest.mark.parametrize("first", ["deleted", "snapshot"])
async def test_first_type_of_an_archived_call(redis: Redis, stream: Stream, first: str) -> None:
    """An archived call that was never seen is deleted or a snapshot, as its reader says."""
    ticket = await stream.ticket(0)
    candidate = msgspec.structs.replace(archived("512", ticket), first_type=first)
    await publish(stream, candidate)
    assert await types(redis, "512") == [first]


@pytest.mark.parametrize("read", [gone, merged])
async def test_gone_before_it_was_seen(
    redis: Redis, stream: Stream, read: Callable[[str, int], Candidate]
) -> None:
    """A call that is gone or merged and was never seen is no event and not known afterwards."""
    assert await publish(stream, read("512", await stream.ticket(0))) == [Unknown()]
    assert await entries(redis) == []
    assert await stream.records.count(PORTAL) == 0


LIVE, CHANGED = live("512", 0), live("512", 0, "Another")
ARCHIVED, ARCHIVED_CHANGED = archived("512", 0), archived("512", 0, "Another")
GONE, MERGED, MERGED_AGAIN = gone("512", 0), merged("512", 0), merged("512", 0, "2048")


@pytest.mark.parametrize(
    ("states", "last"),
    [
        ([LIVE, CHANGED], "updated"),
        ([LIVE, ARCHIVED], "deleted"),
        ([LIVE, GONE], "deleted"),
        ([LIVE, MERGED], "deleted"),
        ([ARCHIVED, LIVE], "restored"),
        ([LIVE, GONE, LIVE], "restored"),
        ([LIVE, MERGED, CHANGED], "restored"),
        ([ARCHIVED, ARCHIVED_CHANGED], "updated"),
        ([ARCHIVED, GONE], "updated"),
        ([ARCHIVED, MERGED], "updated"),
        ([LIVE, GONE, ARCHIVED], "updated"),
        ([LIVE, GONE, MERGED], "updated"),
        ([LIVE, MERGED, MERGED_AGAIN], "updated"),
    ],
)
async def test_type_follows_from_two_states(
    redis: Redis, stream: Stream, states: list[Candidate], last: str
) -> None:
    """The type depends on the last published state and the new one only."""
    for state in states:
        ticket = await stream.ticket(0)
        [outcome] = await publish(stream, msgspec.structs.replace(state, ticket=ticket))
        assert isinstance(outcome, Published)
    assert len(await entries(redis)) == len(states)
    assert (await types(redis, "512"))[-1] == last


@pytest.mark.parametrize("state", [LIVE, ARCHIVED])
async def test_same_state_is_no_event(redis: Redis, stream: Stream, state: Candidate) -> None:
    """A state that is on the stream is not published again."""
    for expected in ("Published", "Unchanged", "Unchanged"):
        ticket = await stream.ticket(0)
        [outcome] = await publish(stream, msgspec.structs.replace(state, ticket=ticket))
        assert type(outcome).__name__ == expected
    assert len(await entries(redis)) == 1


async def test_gone_twice_is_one_event(redis: Redis, stream: Stream) -> None:
    """A call that stays gone is deleted once."""
    await publish(stream, live("512", await stream.ticket(0)))
    await publish(stream, gone("512", await stream.ticket(0)))
    assert await publish(stream, gone("512", await stream.ticket(0))) == [Unchanged()]
    assert await types(redis, "512") == ["created", "deleted"]


async def test_batch_keeps_its_order(redis: Redis, stream: Stream) -> None:
    """A batch's events and outcomes are in the order of its candidates."""
    ticket = await stream.ticket(0)
    calls = [str(number) for number in range(100, 0, -1)]
    outcomes = await publish(stream, *[live(call, ticket) for call in calls])
    assert [fields["subject"] for _, fields in await entries(redis)] == calls
    assert [type(outcome) for outcome in outcomes] == [Published] * 100


async def test_empty_batch(redis: Redis, stream: Stream) -> None:
    """A batch without candidates has no outcome and no event."""
    assert await publish(stream) == []
    assert await entries(redis) == []


async def test_call_twice_in_a_batch(redis: Redis, stream: Stream) -> None:
    """Of a call that comes twice in a batch the first is published, and the second is late."""
    ticket = await stream.ticket(0)
    outcomes = await publish(stream, live("512", ticket), live("512", ticket, "Another"))
    assert [type(outcome).__name__ for outcome in outcomes] == ["Published", "Overtaken"]
    assert len(await entries(redis)) == 1


async def test_publish_repeated(redis: Redis, stream: Stream) -> None:
    """A batch that is sent again, its answer having been lost, changes nothing."""
    ticket = await stream.ticket(0)
    await publish(stream, live("512", ticket), live("513", ticket))
    again = await publish(stream, live("512", ticket), live("513", ticket))
    assert again == [Unchanged(), Unchanged()]
    assert len(await entries(redis)) == 2


async def test_portals_are_apart(redis: Redis, stream: Stream) -> None:
    """Two portals may have calls of the same id."""
    for portal in (1, 11):
        candidate = live("512", await stream.ticket(0))
        [outcome] = await stream.publish(0, portal, 1, [candidate])
        assert isinstance(outcome, Published)
    assert [fields["partitionkey"] for _, fields in await entries(redis)] == ["1:512", "11:512"]


async def test_older_projection_is_refused(redis: Redis, stream: Stream) -> None:
    """What was read with an older projection than the partition knows is refused as a whole."""
    await publish(stream, live("512", await stream.ticket(0)), generation=3)
    with pytest.raises(StaleProjectionError) as refused:
        await publish(stream, live("513", await stream.ticket(0)), generation=2)
    assert refused.value.generation == 3
    assert len(await entries(redis)) == 1
    assert await stream.records.count(PORTAL) == 1


@pytest.mark.parametrize("calls", [1, 20])
async def test_adopted_projection(redis: Redis, stream: Stream, calls: int) -> None:
    """A generation that is adopted counts at once in every partition, and never goes back."""
    ticket = await stream.ticket(0)
    await publish(stream, *[live(str(number), ticket) for number in range(calls)])
    await stream.records.adopt(PORTAL, 5)
    await stream.records.adopt(PORTAL, 4)
    with pytest.raises(StaleProjectionError) as refused:
        await publish(stream, live("513", await stream.ticket(0)), generation=4)
    assert refused.value.generation == 5
    await publish(stream, live("513", await stream.ticket(0)), generation=5)
    assert len(await entries(redis)) == calls + 1


async def test_generation_moves_with_its_portal(stream: Stream) -> None:
    """A portal that outgrows the shared table keeps its generation."""
    await publish(stream, live("512", await stream.ticket(0)), generation=7)
    ticket = await stream.ticket(0)
    await publish(stream, *[live(str(number), ticket) for number in range(30)], generation=7)
    with pytest.raises(StaleProjectionError):
        await publish(stream, live("513", ticket), generation=6)


async def test_old_events_are_trimmed(redis: Redis) -> None:
    """Publishing drops whole nodes of events older than the age limit, and only those."""
    for number in range(1, 1_001):
        await command(redis, "XADD", "calls:{0}", f"{number}-0", "type", "old")
    kept = Stream(redis, "", Timing(), 1)
    await publish(kept, live("512", await kept.ticket(0)))
    assert len(await entries(redis)) == 1_001
    trimmed = Stream(redis, "", Timing(), 1, max_age_ms=60_000)
    await publish(trimmed, live("513", await trimmed.ticket(0)))
    left = await entries(redis)
    assert len(left) <= 200
    assert [fields.get("subject") for _, fields in left[-2:]] == ["512", "513"]


async def test_streams_are_announced(redis: Redis, namespace: str) -> None:
    """`calls:meta` tells the number of partitions, the schema and the age limit."""
    await Stream(redis, namespace, Timing(), 4, max_age_ms=604_800_000).prepare()
    meta = await command(redis, "HGETALL", keys.meta(namespace))
    assert meta == {b"partitions": b"4", b"schema": b"1", b"stream_max_age": b"604800"}


async def test_partitions_do_not_change(redis: Redis) -> None:
    """Another number of partitions is refused, with what to do; the same is welcome."""
    await Stream(redis, "", Timing(), 4).prepare()
    await Stream(redis, "", Timing(), 4).prepare()
    with pytest.raises(PartitionsChangedError, match="Set STREAM_PARTITIONS=4"):
        await Stream(redis, "", Timing(), 2).prepare()
    assert await command(redis, "HGET", "calls:meta", "partitions") == b"4"


async def test_partitions_share_the_calls(redis: Redis) -> None:
    """Each call has one partition, its keys stay there, and every partition has its part."""
    stream = Stream(redis, "", Timing(), 4)
    calls = [str(number) for number in range(4_000)]
    counts = [0, 0, 0, 0]
    for call in calls:
        counts[stream.partition_of(PORTAL, call)] += 1
    assert min(counts) > 800
    assert stream.partition_of(62515, "512") == 1
    await stream.publish(1, PORTAL, 1, [live("512", await stream.ticket(1))])
    await stream.publish(1, PORTAL, 1, [live("512", await stream.ticket(1), "Another", 1)])
    names = msgspec.convert(await command(redis, "KEYS", "*"), set[bytes])
    assert all(b":{1}" in name for name in names)
    assert {b"calls:{1}", b"clock:{1}", b"refused:{1}:62515"} <= names
