"""Claims of a portal whose budget is the limit come evenly, not in bursts and sleeps."""

from collections import deque

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Done, Mark, Outcome
from jobs.ledger.wire import BATCH
from jobs.redis import command
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.support.desk import Desk
from tests.support.traffic import PORTAL, Counter, settled, timeless_budget

COST = 5
EVEN = COST * 10_250 // 92
"""The distance in ms of takers that use up 92 requests in 10.25 s."""
AN_HOUR = 3_600_000


@pytest.fixture
def ledger(redis: Redis, namespace: str) -> Ledger:
    """A ledger whose portals have no pace but a told one."""
    return Ledger(redis, namespace, replace(Timing(), pace_ms=0))


async def claim_one(ledger: Ledger, call_id: str, pace_ms: int | None) -> None:
    """Mark a call, answer its doorbell, and settle it with word of a pace."""
    (bell,) = await ledger.mark([Mark(PORTAL, call_id, (Hint("creation", 1),))])
    claim = await ledger.claim(PORTAL, bell.bell_id)
    await ledger.settle(PORTAL, claim.token, [Done(call_id)], Outcome("well", pace_ms=pace_ms))


async def test_half_of_the_window_may_go_in_a_burst(redis: Redis) -> None:
    """No pace is told while the window is half empty, or before anything was taken."""
    budget = timeless_budget(redis)
    await settled(redis, budget)
    assert budget.spending(PORTAL).pace_ms(COST) == 0
    await budget.take(PORTAL, 46)
    assert budget.spending(PORTAL).pace_ms(COST) == 0


async def test_rest_of_the_window_lasts_until_the_burst_leaves_it(redis: Redis) -> None:
    """What is left after a burst is spread over the time until the window frees it again."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    await budget.take(PORTAL, 46)
    await time.on(1_000)
    await budget.take(PORTAL, 1)
    left = 92 - 47
    assert budget.spending(PORTAL).pace_ms(COST) == COST * (10_251 - 1_000) // left
    assert budget.spending(PORTAL).pace_ms(1) == (10_251 - 1_000) // left


@pytest.mark.parametrize("every_ms", [1, 100, 250, 700])
async def test_paced_taker_never_waits(redis: Redis, every_ms: int) -> None:
    """Who takes as often as wanted, but for the told pace, is always granted and wastes nothing."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    waits: list[int] = []
    apart: list[int] = []
    for _ in range(100):
        waits.append(await budget.take(PORTAL, COST))
        apart.append(max(every_ms, budget.spending(PORTAL).pace_ms(COST)))
        await time.on(apart[-1])
    assert set(waits) == {0}
    assert max(apart) <= 2.5 * max(EVEN, every_ms)
    assert sum(apart[-50:]) <= 50 * max(EVEN + 20, every_ms)


async def test_told_pace_holds_the_next_claim_back(ledger: Ledger) -> None:
    """A longer pace than the usual one defers the doorbell and refuses an early claim."""
    await ledger.connect(PORTAL)
    await claim_one(ledger, "1", AN_HOUR)
    (bell,) = await ledger.mark([Mark(PORTAL, "2", (Hint("creation", 1),))])
    assert AN_HOUR - 5_000 < bell.delay_ms <= AN_HOUR
    assert (await ledger.claim(PORTAL)).token == ""


async def test_full_batch_ignores_the_usual_pace(redis: Redis, namespace: str) -> None:
    """With a hundred due calls, and no word of a budget, claims follow each other at once."""
    ledger = Ledger(redis, namespace, replace(Timing(), pace_ms=AN_HOUR))
    await ledger.connect(PORTAL)
    await claim_one(ledger, "0", 0)
    marks = [Mark(PORTAL, str(n), (Hint("creation", 1),)) for n in range(1, 2 * BATCH + 1)]
    (bell,) = await ledger.mark(marks)
    assert bell.delay_ms == 0
    first = await ledger.claim(PORTAL, bell.bell_id, side_by_side=2)
    assert [bell.delay_ms for bell in first.bells] == [0]
    second = await ledger.claim(PORTAL, first.bells[0].bell_id, side_by_side=2)
    assert (len(first.calls), len(second.calls)) == (BATCH, BATCH)


async def test_full_batch_comes_a_fifth_sooner_than_told(ledger: Ledger) -> None:
    """The budget, not the time by which each claim is late, is the limit of a backlog."""
    await ledger.connect(PORTAL)
    await claim_one(ledger, "0", AN_HOUR)
    marks = [Mark(PORTAL, str(number), (Hint("creation", 1),)) for number in range(1, BATCH + 1)]
    (bell,) = await ledger.mark(marks)
    assert 0.8 * AN_HOUR - 5_000 < bell.delay_ms <= 0.8 * AN_HOUR
    assert (await ledger.claim(PORTAL, bell.bell_id)).token == ""


async def test_pace_is_kept_until_another_word(ledger: Ledger, redis: Redis) -> None:
    """A claim that learned nothing leaves the pace; 0 takes it back to the usual one."""
    await ledger.connect(PORTAL)
    for call_id, pace_ms, kept in (("1", 700, b"700"), ("2", None, b"700"), ("3", 0, b"0")):
        await command(redis, "HSET", f"tenant-1:ledger:{PORTAL}", "claimed_at", 0)
        await claim_one(ledger, call_id, pace_ms)
        assert await command(redis, "HGET", f"tenant-1:ledger:{PORTAL}", "pace") == kept
    (bell,) = await ledger.mark([Mark(PORTAL, "4", (Hint("creation", 1),))])
    assert bell.delay_ms == 0


@pytest.mark.one_redis
async def test_job_paces_its_portal(desk: Desk, control: Control) -> None:
    """When most of the budget is used, the next small claim waits for its turn."""
    call_id = await control.create({}, portal_id=desk.portal_id)
    mostly_used = Counter(100, times=deque([0] * 80)).headers()
    await desk.context.budget.learn(desk.portal_id, mostly_used, elapsed_ms=0)
    await desk.fetch_marked(call_id)
    assert await desk.types() == ["created"]
    await desk.mark(call_id)
    assert (await desk.context.ledger.claim(desk.portal_id)).token == ""
