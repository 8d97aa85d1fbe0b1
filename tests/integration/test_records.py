"""Records stay compact as they grow, and all of them can be found."""

from collections import Counter

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from jobs.redis import command
from jobs.stream.records import Record, Records
from jobs.stream.stream import Stream
from jobs.timing import Timing
from tests.support.candidates import PORTAL, live

COMPACT = {b"listpack", b"ziplist"}


async def _learn(stream: Stream, portal_id: int, calls: list[str], generation: int = 1) -> None:
    """Publish the calls of a portal, a hundred at a time, each on its partition."""
    parts: dict[int, list[str]] = {}
    for call in calls:
        parts.setdefault(stream.partition_of(portal_id, call), []).append(call)
    for partition, part in parts.items():
        for start in range(0, len(part), 100):
            ticket = await stream.ticket(partition)
            batch = [live(call, ticket) for call in part[start : start + 100]]
            await stream.publish(partition, portal_id, generation, batch)


async def _known(records: Records, portal_id: int) -> Counter[str]:
    return Counter([call async for call, _ in records.walk(portal_id)])


def test_record_layout() -> None:
    """A record is 27 bytes: version, stamp, `updatedAt`, digest, state."""
    raw = bytes.fromhex("01" * 6 + "02" * 6 + "03" * 6 + "04" * 8 + "02")
    assert Record.decode(raw) == Record(
        version=0x010101010101,
        stamp=0x020202020202,
        updated_at_ms=0x030303030303,
        digest=b"\x04" * 8,
        state="gone",
    )


CALLS = st.integers(1, 2**63 - 1).map(str)
PORTALS = st.dictionaries(
    st.integers(1, 2**31), st.sets(CALLS, max_size=200).map(sorted), max_size=12
)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(portals=PORTALS, partitions=st.integers(1, 3))
async def test_every_call_is_known(
    redis: Redis, portals: dict[int, list[str]], partitions: int
) -> None:
    """Whatever portals there are, each of their calls is counted and walked exactly once."""
    await command(redis, "FLUSHDB")
    stream = Stream(redis, "", Timing(), partitions)
    for portal_id, calls in portals.items():
        await _learn(stream, portal_id, calls)
    for portal_id, calls in portals.items():
        assert await _known(stream.records, portal_id) == Counter(calls)
        assert await stream.records.count(portal_id) == len(calls)
    assert await stream.records.count(2**31 + 1) == 0
    assert await _known(stream.records, 2**31 + 1) == Counter()


async def test_known_calls_stay_known(redis: Redis) -> None:
    """Splits and moves carry each record along unharmed: nothing is published a second time."""
    stream = Stream(redis, "", Timing(), 1)
    first = [str(10**11 + number * 7_919) for number in range(1_000)]
    before: dict[str, int] = {}
    for size in (5, 20, 300, 1_000):
        await _learn(stream, PORTAL, first[:size])
        now = {call: record async for call, record in stream.records.walk(PORTAL)}
        assert {call: now[call].version for call in before} == before
        before = {call: record.version for call, record in now.items()}
    assert await command(redis, "XLEN", "calls:{0}") == 1_000


@pytest.mark.parametrize(("portals", "calls"), [(1, 5_000), (20, 250), (700, 7)])
async def test_buckets_stay_compact(redis: Redis, portals: int, calls: int) -> None:
    """Buckets stay listpacks, far below the 512 fields at which Redis would unfold them."""
    stream = Stream(redis, "", Timing(), 1)
    for portal_id in range(10_000_000, 10_000_000 + portals):
        await _learn(stream, portal_id, [str(10**11 + n * 7_919) for n in range(calls)])
    keys = msgspec.convert(await command(redis, "KEYS", "records:*"), list[bytes])
    for key in keys:
        assert await command(redis, "OBJECT", "ENCODING", key) in COMPACT
        fields = await command(redis, "HLEN", key)
        assert isinstance(fields, int)
        assert fields < 256


async def test_walk_while_it_grows(redis: Redis) -> None:
    """A walk meets every call that was known when it began, though all buckets split meanwhile."""
    stream = Stream(redis, "", Timing(), 1)
    known = [str(10**11 + number) for number in range(2_000)]
    await _learn(stream, PORTAL, known)
    met = set[str]()
    new = 2 * 10**11
    async for call, _ in stream.records.walk(PORTAL):
        if len(met) % 200 == 0:
            await _learn(stream, PORTAL, [str(new + number) for number in range(200)])
            new += 200
        met.add(call)
    assert met >= set(known)
    assert new - 2 * 10**11 > 2_000


async def test_walk_while_its_portal_moves(redis: Redis) -> None:
    """A walk of a portal of few calls meets them all, though they move meanwhile."""
    stream = Stream(redis, "", Timing(), 1)
    known = [str(number) for number in range(7)]
    await _learn(stream, PORTAL, known)
    walk = stream.records.walk(PORTAL)
    met = {(await anext(walk))[0]}
    await _learn(stream, PORTAL, [str(number) for number in range(100, 200)])
    assert await command(redis, "EXISTS", f"records:{{0}}:{PORTAL}") == 1
    met |= {call async for call, _ in walk}
    assert met >= set(known)
    assert await stream.records.count(PORTAL) == 107


async def test_shared_table_is_given_back(redis: Redis) -> None:
    """Portals that outgrow the shared table leave nothing in it."""
    stream = Stream(redis, "", Timing(), 1)
    for portal_id in range(1, 51):
        await _learn(stream, portal_id, [str(number) for number in range(10)], generation=2)
    small = msgspec.convert(await command(redis, "KEYS", "records:{0}:small*"), list[bytes])
    left = [msgspec.convert(await command(redis, "HKEYS", key), list[bytes]) for key in small]
    assert [field for fields in left for field in fields if field[:1].isdigit()] == []
    assert await command(redis, "HGET", "records:{0}:small", "count") == b"0"
