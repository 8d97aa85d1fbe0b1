"""Where accounts stand in Redis: one worker at a time, nothing lost, no storms."""

import asyncio

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from jobs.events.digest import GONE, of_call
from jobs.reconciliation.comparing import Comparer, View
from jobs.reconciliation.missed import LATEST, Miss, Missed
from jobs.reconciliation.runs import Ask, Run, Standing
from jobs.reconciliation.store import QUEUED, Reconciliations
from jobs.stream.stream import Candidate, Published, StaleProjectionError, Stream
from jobs.timing import Timing

PORTAL = 62515
QUEUE = "tenant-1:callstream:collections"
TIMING = Timing(collection_bell_ms=50, collection_ring_ms=20, collection_lease_ms=60)
RUN = Run(id="r", portal_id=PORTAL, kind="search", since=7)


@pytest.fixture
def store(redis: Redis, namespace: str) -> Reconciliations:
    """The accounts' standings, with short waits."""
    return Reconciliations(redis, namespace, TIMING)


async def test_what_is_kept_is_taken(store: Reconciliations) -> None:
    """The next turn finds all that the last one wrote down."""
    assert await store.take(PORTAL, "one") is not None
    standing = Standing(watermark=5, searched_at=6, round_at=7, run=RUN, last=replace(RUN, id="l"))
    assert await store.keep(PORTAL, "one", standing, again_ms=0)
    held = await store.take(PORTAL, "two")
    assert held is not None
    assert held.standing == standing == await store.standing(PORTAL)
    assert await store.keep(PORTAL, "two", replace(standing, run=None), again_ms=0)
    assert (await store.standing(PORTAL)).run is None


async def test_an_account_has_one_holder(store: Reconciliations) -> None:
    """Held by one, it is not taken by another; once its time is over the other is the only one."""
    assert await store.take(PORTAL, "one") is not None
    assert await store.take(PORTAL, "two") is None
    await asyncio.sleep(0.07)
    assert await store.take(PORTAL, "two") is not None
    assert not await store.keep(PORTAL, "one", Standing(watermark=9), again_ms=0)
    assert (await store.standing(PORTAL)).watermark == 0


async def test_requests_come_to_one_run(store: Reconciliations) -> None:
    """Requests before a run begins are one: the earlier time, and a round if one wants it."""
    assert await store.ask(PORTAL, Ask(id="a", since=1_705_316_400_000)) == "a"
    assert await store.ask(PORTAL, Ask(id="b", since=1_605_316_400_000, full=True)) == "a"
    assert await store.ask(PORTAL, Ask(id="c")) == "a"
    asked = (await store.standing(PORTAL)).asked
    assert asked == Ask(id="a", since=1_605_316_400_000, full=True)


async def test_a_request_outlives_the_run_at_work(store: Reconciliations) -> None:
    """What is asked for during a run is not taken for that run, and is due as soon as it ends."""
    assert await store.take(PORTAL, "one") is not None
    await store.keep(PORTAL, "one", Standing(run=RUN), begun="r")
    await store.ask(PORTAL, Ask(id="later"))
    await store.keep(PORTAL, "one", Standing(run=RUN), begun="r")
    assert await store.due("w", QUEUE, [PORTAL], 0) == []
    await store.keep(PORTAL, "one", Standing(last=RUN), again_ms=60_000, begun="r")
    asked = (await store.standing(PORTAL)).asked
    assert asked is not None
    assert asked.id == "later"
    assert await store.due("w", QUEUE, [PORTAL], 0) == [PORTAL]


async def test_a_lost_job_is_asked_for_again(store: Reconciliations) -> None:
    """An account that was named is left alone for a while, and then named again."""
    assert await store.due("w", QUEUE, [PORTAL], 0) == [PORTAL]
    assert await store.due("w", QUEUE, [PORTAL], 0) == []
    await asyncio.sleep(0.06)
    assert await store.due("w", QUEUE, [PORTAL], 0) == [PORTAL]


async def test_one_worker_has_the_turn(store: Reconciliations) -> None:
    """While one worker goes on asking, no other is told; when it stops, another is."""
    assert await store.due("w1", QUEUE, [PORTAL], 0) == [PORTAL]
    assert await store.due("w2", QUEUE, [PORTAL, 777], 0) == []
    await asyncio.sleep(0.12)
    assert set(await store.due("w2", QUEUE, [PORTAL, 777], 0)) == {PORTAL, 777}


async def test_new_accounts_are_spread(store: Reconciliations, redis: Redis) -> None:
    """A thousand new accounts get times of their own all over the time between two searches."""
    assert await store.due("w", QUEUE, range(1, 1_001), 600_000) == []
    scores = [score for _, score in await redis.zrange(store.due_key, 0, -1, withscores=True)]
    tenths = [int((score - min(scores)) // 60_000) for score in scores]
    assert len(scores) == 1_000
    assert all(50 < tenths.count(tenth) < 150 for tenth in range(9))


async def test_a_long_queue_gets_no_more(store: Reconciliations, redis: Redis) -> None:
    """No more accounts are named at once than the queue may hold."""
    await redis.zadd(QUEUE, {f"job-{number}": number for number in range(QUEUED - 3)})
    assert len(await store.due("w", QUEUE, range(1, 101), 0)) == 3


async def test_accounts_that_are_not_connected_are_forgotten(store: Reconciliations) -> None:
    """An account that nobody has a token for is taken off the list when its time comes."""
    await store.ask(PORTAL, Ask(id="a"))
    assert await store.due("w", QUEUE, [], 0) == []
    assert await store.accounts() == []


async def test_missed_calls_are_counted_and_the_latest_listed(redis: Redis, namespace: str) -> None:
    """The count goes on, the list holds the latest, the oldest age stays."""
    missed = Missed(redis, namespace)
    await missed.note(PORTAL, [])
    misses = [
        Miss(call_id=str(n), found="search", found_at=n, age_ms=1_000 - n, at_most=False)
        for n in range(LATEST + 5)
    ]
    await missed.note(PORTAL, misses)
    await missed.note(PORTAL, [replace(misses[0], call_id="last", age_ms=None)])
    figures = await missed.figures(PORTAL)
    assert (figures.count, figures.oldest_age_ms) == (LATEST + 6, 1_000)
    assert len(figures.latest) == LATEST
    assert figures.latest[0].call_id == "last"
    assert figures.last_at > 0


@pytest.fixture
async def stream(redis: Redis, namespace: str) -> Stream:
    """Two partitions."""
    stream = Stream(redis, namespace, Timing(), 2)
    await stream.prepare()
    return stream


LIVE = of_call({"t": "1"}, {}, archived=False, wanted=["t"])
OTHER = of_call({"t": "2"}, {}, archived=False, wanted=["t"])


async def publish(stream: Stream, call_id: str, *, generation: int = 1, gone: bool = False) -> None:
    """Publish a call, modified at 100."""
    partition = stream.partition_of(PORTAL, call_id)
    candidate = Candidate(
        call_id=call_id,
        ticket=await stream.ticket(partition),
        digest=GONE if gone else LIVE,
        updated_at_ms=0 if gone else 100,
        state="gone" if gone else "live",
        first_type="snapshot",
        time="2024-01-15T11:00:00Z",
        data=b"{}",
    )
    (outcome,) = await stream.publish(partition, PORTAL, generation, [candidate])
    assert isinstance(outcome, Published)


async def test_a_comparison_moves_the_clock_on(
    redis: Redis, namespace: str, stream: Stream
) -> None:
    """What is confirmed is confirmed above all that the process has seen, if the clock was lost."""
    await publish(stream, "1")
    partition = stream.partition_of(PORTAL, "1")
    ahead = stream.seen(partition) + 3_600_000
    stream.witness(partition, ahead)
    await redis.delete(f"{namespace}:clock:{{{partition}}}")
    comparer = Comparer(redis, namespace, stream)

    (found,) = await comparer.compare(PORTAL, 1, [View("1", "live", 100, LIVE)], confirms=True)

    assert found.stamp >= ahead
    other = Stream(redis, namespace, Timing(), 2)
    comparer = Comparer(redis, namespace, other)
    await comparer.compare(PORTAL, 1, [View("1", "live", 100, LIVE)], confirms=False)
    assert other.seen(partition) > ahead


@pytest.mark.parametrize(
    ("view", "outcome"),
    [
        (View("1", "live", 100, LIVE), "same"),
        (View("1", "live", 900, LIVE), "same"),
        (View("1", "live", 100, OTHER), "other"),
        (View("1", "live", 101, OTHER), "newer"),
        (View("1", "live", 100), "same"),
        (View("1", "live", 99), "same"),
        (View("1", "live", 101), "newer"),
        (View("1", "archived", 100), "other"),
        (View("2", "live", 101), "newer"),
        (View("2", "live", 100), "other"),
        (View("3", "live", 1, LIVE), "unknown"),
    ],
)
async def test_views_are_compared_with_records(
    redis: Redis, namespace: str, stream: Stream, view: View, outcome: str
) -> None:
    """A digest decides; without one the time of modification does, for the same state only."""
    await publish(stream, "1")
    await publish(stream, "2")
    await publish(stream, "2", gone=True)
    comparer = Comparer(redis, namespace, stream)
    (compared,) = await comparer.compare(PORTAL, 1, [view], confirms=False)
    assert compared.outcome == outcome
    assert (compared.stamp > 0) == (outcome != "unknown")


@pytest.mark.parametrize("confirms", [True, False])
async def test_only_a_whole_view_confirms(
    redis: Redis, namespace: str, stream: Stream, *, confirms: bool
) -> None:
    """What was seen whole and is the same has its stamp raised; what differs is left alone."""
    for call_id in ("1", "2"):
        await publish(stream, call_id)
    before = dict([item async for item in stream.records.walk(PORTAL)])
    clocks = [await stream.ticket(partition) for partition in range(2)]
    views = [View("1", "live", 150, LIVE), View("2", "live", 150, OTHER)]
    await Comparer(redis, namespace, stream).compare(PORTAL, 1, views, confirms=confirms)
    after = dict([item async for item in stream.records.walk(PORTAL)])
    assert after["2"] == before["2"]
    if not confirms:
        assert after == before
        return
    assert after["1"].stamp > clocks[stream.partition_of(PORTAL, "1")]
    assert replace(after["1"], stamp=0) == replace(before["1"], stamp=0, updated_at_ms=150)


async def test_an_outdated_projection_compares_nothing(
    redis: Redis, namespace: str, stream: Stream
) -> None:
    """Digests of an older list of properties than the streams know would all differ."""
    await publish(stream, "1", generation=2)
    with pytest.raises(StaleProjectionError):
        await Comparer(redis, namespace, stream).compare(
            PORTAL, 1, [View("1", "live", 100, LIVE)], confirms=True
        )


async def test_records_are_looked_through_from_any_place(stream: Stream) -> None:
    """Step by step every record comes at least once, in whatever order the partitions are."""
    for number in range(300):
        await publish(stream, str(number))
    seen: set[str] = set()
    place: tuple[int, int] | None = (0, 0)
    while place is not None:
        found, place = await stream.records.step(PORTAL, place)
        seen |= {call_id for call_id, _ in found}
    assert seen == {str(number) for number in range(300)}
