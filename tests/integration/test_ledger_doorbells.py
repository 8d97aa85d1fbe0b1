"""When the ledger asks for a doorbell, and what keeps portals from being read."""

import pytest
from redis.asyncio import Redis

from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Done, Later, Mark, Outcome
from jobs.ledger.wire import BATCH
from jobs.queue import RUNNING
from jobs.redis import command
from jobs.timing import Timing

PORTAL = 62515
QUEUE = "tenant-1:callstream:live"
AN_HOUR = 3_600_000


@pytest.fixture
def ledger(redis: Redis, namespace: str) -> Ledger:
    """A ledger with production waits."""
    return Ledger(redis, namespace, Timing())


def marks(count: int, portal_id: int = PORTAL, start: int = 1) -> list[Mark]:
    """Return marks of consecutive calls."""
    ids = range(start, start + count)
    return [Mark(portal_id, str(number), (Hint("creation", 1),)) for number in ids]


async def test_first_mark_rings_and_the_second_does_not(ledger: Ledger) -> None:
    """One doorbell is on its way at a time, however many marks come."""
    await ledger.connect(PORTAL)
    (bell,) = await ledger.mark(marks(1))
    assert bell.portal_id == PORTAL
    assert bell.delay_ms == 0
    assert await ledger.mark(marks(5)) == []


async def test_unknown_portal_keeps_marks_and_rings_on_connection(ledger: Ledger) -> None:
    """Marks of a portal that nobody connected wait, silently, for its connection."""
    assert await ledger.mark(marks(3)) == []
    assert (await ledger.claim(PORTAL)).token == ""
    assert len(await ledger.connect(PORTAL)) == 1
    assert len((await ledger.claim(PORTAL)).calls) == 3


async def test_disconnected_portal_is_not_read(ledger: Ledger, redis: Redis) -> None:
    """A disconnected portal keeps its marks, has no score and rings nothing."""
    await ledger.connect(PORTAL)
    await ledger.mark(marks(3))
    await ledger.disconnect(PORTAL, "refresh token refused")
    assert await redis.zcard("tenant-1:ledger:portals") == 0
    assert (await ledger.claim(PORTAL)).token == ""
    assert await ledger.sweep("one", QUEUE) == []


async def test_sleeping_portal_rings_nothing(ledger: Ledger) -> None:
    """Marks on a sleeping portal are kept and ring nothing until it wakes."""
    await ledger.connect(PORTAL)
    await ledger.sleep(PORTAL, AN_HOUR, "daily limit")
    assert await ledger.mark(marks(2)) == []
    assert (await ledger.claim(PORTAL)).token == ""
    assert len(await ledger.wake(PORTAL)) == 1
    assert len((await ledger.claim(PORTAL)).calls) == 2


async def test_failed_portal_sleeps_and_counts_once(ledger: Ledger, redis: Redis) -> None:
    """Claims that fail side by side count as one failure."""
    await ledger.connect(PORTAL)
    await ledger.mark(marks(2 * BATCH))
    first = await ledger.claim(PORTAL, side_by_side=2)
    second = await ledger.claim(PORTAL, side_by_side=2)
    for claimed in (first, second):
        handed_back = [Later(call.call_id) for call in claimed.calls]
        await ledger.settle(PORTAL, claimed.token, handed_back, Outcome("failed", AN_HOUR, "502"))
    assert await command(redis, "HGET", f"tenant-1:ledger:{PORTAL}", "failures") == b"1"
    assert (await ledger.claim(PORTAL)).token == ""


async def test_failures_add_up_until_the_api_answers(ledger: Ledger) -> None:
    """Each failure after a sleep raises the count that a claim reports."""
    await ledger.connect(PORTAL)
    await ledger.mark(marks(BATCH))
    for failures in range(3):
        claimed = await ledger.claim(PORTAL)
        assert claimed.failures == failures
        handed_back = [Later(call.call_id) for call in claimed.calls]
        await ledger.settle(PORTAL, claimed.token, handed_back, Outcome("failed", 0, "502"))
    claimed = await ledger.claim(PORTAL)
    handed_back = [Later(call.call_id) for call in claimed.calls]
    await ledger.settle(PORTAL, claimed.token, handed_back, Outcome("well"))
    assert (await ledger.claim(PORTAL)).failures == 0


async def test_failing_portal_is_probed_by_one_claim_at_a_time(ledger: Ledger) -> None:
    """After a failure only one claim of the portal may be alive, whatever was allowed before."""
    await ledger.connect(PORTAL)
    await ledger.mark(marks(3 * BATCH))
    claimed = await ledger.claim(PORTAL, side_by_side=3)
    handed_back = [Later(call.call_id) for call in claimed.calls]
    await ledger.settle(PORTAL, claimed.token, handed_back, Outcome("failed", 0, "502"))
    assert (await ledger.claim(PORTAL, side_by_side=3)).token != ""
    assert (await ledger.claim(PORTAL, side_by_side=3)).token == ""


async def test_portal_pace(ledger: Ledger) -> None:
    """A second claim within the pace is put off with a deferred doorbell, unless a batch waits."""
    await ledger.connect(PORTAL)
    await ledger.mark(marks(1))
    first = await ledger.claim(PORTAL, side_by_side=3)
    await ledger.settle(PORTAL, first.token, [Done("1")])
    await ledger.mark(marks(1, start=2))
    early = await ledger.claim(PORTAL, side_by_side=3)
    assert early.token == ""
    await ledger.mark(marks(BATCH, start=3))
    assert len((await ledger.claim(PORTAL, side_by_side=3)).calls) == BATCH


async def test_deferred_doorbell_names_the_end_of_the_pace(ledger: Ledger) -> None:
    """A mark within the pace rings for the moment at which a claim may start."""
    await ledger.connect(PORTAL)
    (bell,) = await ledger.mark(marks(1))
    claimed = await ledger.claim(PORTAL, bell.bell_id)
    await ledger.settle(PORTAL, claimed.token, [Done("1")])
    (deferred,) = await ledger.mark(marks(1, start=2))
    assert 0 < deferred.delay_ms <= Timing().pace_ms


async def test_full_batch_rings_at_once_beside_a_deferred_doorbell(ledger: Ledger) -> None:
    """When a full batch waits, a doorbell that rings only later is not enough."""
    await ledger.connect(PORTAL)
    (bell,) = await ledger.mark(marks(1))
    claimed = await ledger.claim(PORTAL, bell.bell_id)
    await ledger.settle(PORTAL, claimed.token, [Done("1")])
    await ledger.mark(marks(1, start=2))
    (prompt,) = await ledger.mark(marks(BATCH, start=3))
    assert prompt.delay_ms == 0


async def test_claim_rings_for_what_is_left(ledger: Ledger) -> None:
    """A claim that leaves a full batch rings again behind the others."""
    await ledger.connect(PORTAL)
    (bell,) = await ledger.mark(marks(3 * BATCH))
    claimed = await ledger.claim(PORTAL, bell.bell_id, side_by_side=2)
    (more,) = claimed.bells
    assert more.bell_id != bell.bell_id
    second = await ledger.claim(PORTAL, more.bell_id, side_by_side=2)
    assert second.bells == []
    assert (await ledger.claim(PORTAL, side_by_side=2)).token == ""
    (after,) = await ledger.settle(
        PORTAL, second.token, [Done(call.call_id) for call in second.calls]
    )
    assert after.delay_ms == 0


async def test_claim_removes_only_its_own_doorbell(ledger: Ledger, redis: Redis) -> None:
    """Answering one doorbell leaves the others outstanding."""
    await ledger.connect(PORTAL)
    await redis.zadd(f"tenant-1:ledger:{PORTAL}:bells", {"999:1": 9e15})
    await ledger.claim(PORTAL, "1:1")
    assert await redis.zcard(f"tenant-1:ledger:{PORTAL}:bells") == 1


async def test_sweep_rings_lost_doorbells_oldest_first(ledger: Ledger, redis: Redis) -> None:
    """The sweep rings every due portal whose doorbell is lost, and none twice."""
    await ledger.beat("one", 10)
    for portal_id in (3, 1, 2):
        await ledger.connect(portal_id)
        await ledger.mark(marks(1, portal_id))
        await redis.delete(f"tenant-1:ledger:{portal_id}:bells")
        await redis.zadd("tenant-1:ledger:portals", {str(portal_id): portal_id})
    bells = await ledger.sweep("one", QUEUE)
    assert [bell.portal_id for bell in bells] == [1, 2, 3]
    assert await ledger.sweep("one", QUEUE) == []


async def test_one_worker_sweeps_at_a_time(ledger: Ledger, redis: Redis) -> None:
    """While one worker keeps asking, another's sweep finds nothing to do."""
    await ledger.beat("one", 10)
    await ledger.sweep("one", QUEUE)
    await ledger.connect(PORTAL)
    await ledger.mark(marks(1))
    await redis.delete(f"tenant-1:ledger:{PORTAL}:bells")
    assert await ledger.sweep("two", QUEUE) == []
    assert len(await ledger.sweep("one", QUEUE)) == 1


async def test_sweep_rests_while_the_queue_is_long(ledger: Ledger, redis: Redis) -> None:
    """Beyond twice the fleet's slots the sweep rings nothing, and doorbells live longer."""
    await ledger.beat("one", 1)
    await redis.zadd(QUEUE, {f"job {number}": 1 for number in range(3)})
    assert await ledger.sweep("one", QUEUE) == []
    await ledger.connect(PORTAL)
    (bell,) = await ledger.mark(marks(1))
    lost_at = await redis.zscore(f"tenant-1:ledger:{PORTAL}:bells", bell.bell_id)
    rung_at = int(bell.bell_id.partition(":")[2])
    assert lost_at == rung_at + Timing().bell_crowded_ms


@pytest.mark.parametrize("waits", [False, True])
async def test_only_waiting_jobs_crowd_the_queue(
    ledger: Ledger, redis: Redis, *, waits: bool
) -> None:
    """Jobs of killed workers, and deferred ones, do not keep the sweep from ringing."""
    await ledger.beat("one", 1)
    jobs = {f"job {number}": 1 for number in range(3)}
    await redis.zadd(QUEUE, {**jobs, "deferred": 9e15})
    if not waits:
        await redis.mset({f"arq:in-progress:{job}": 1 for job in jobs})
    await ledger.connect(PORTAL)
    await ledger.mark(marks(1))
    await redis.delete(f"tenant-1:ledger:{PORTAL}:bells")
    assert bool(await ledger.sweep("one", QUEUE, RUNNING)) is not waits


async def test_sweep_reaches_past_portals_that_have_a_doorbell(
    ledger: Ledger, redis: Redis
) -> None:
    """Hundreds of due portals with doorbells do not hide the one without."""
    await ledger.beat("one", 10_000)
    for portal_id in range(1, 701):
        await ledger.connect(portal_id)
        await ledger.mark(marks(1, portal_id))
    lonely = 9_999
    await ledger.connect(lonely)
    await ledger.mark(marks(1, lonely))
    await redis.delete(f"tenant-1:ledger:{lonely}:bells")
    assert [bell.portal_id for bell in await ledger.sweep("one", QUEUE)] == [lonely]
