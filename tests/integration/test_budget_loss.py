"""The budget when Redis has lost what was granted, and when it only looks so."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from jobs.hubspot.budget import Budget
from jobs.redis import connect
from jobs.timing import Timing
from tests.support.redis import MakeRedis
from tests.support.traffic import (
    BEGIN,
    PORTAL,
    Counter,
    Time,
    settled,
    timeless_budget,
)

WINDOW = 10_250
LOOK_AGAIN = 250


async def granted(budget: Budget) -> int:
    """Take one by one, and return how many were granted before one had to wait."""
    taken = 0
    while await budget.take(PORTAL) == 0:
        taken += 1
    return taken


async def test_an_empty_redis_admits_one_taker(redis: Redis) -> None:
    """While nobody knows what was granted before, one read finds out and the others look again."""
    budget = timeless_budget(redis)
    await Time(redis).set(BEGIN)

    assert await budget.take(PORTAL, 5) == 0
    assert await budget.take(PORTAL, 5) == LOOK_AGAIN
    assert await budget.take(PORTAL + 1, 5) == 0


async def test_an_answer_fills_a_lost_window(redis: Redis) -> None:
    """What HubSpot has counted enters the log, and the rest of our share is granted."""
    budget, counter = timeless_budget(redis), Counter(100)
    time = Time(redis)
    await time.set(BEGIN)
    for _ in range(60):
        counter.ask(BEGIN)
    assert await budget.take(PORTAL, 2) == 0
    counter.ask(BEGIN)

    await budget.learn(PORTAL, counter.ask(BEGIN) or {}, elapsed_ms=0)

    assert await granted(budget) == 92 - 62
    await time.on(WINDOW + 1)
    assert await granted(budget) == 92


async def test_without_headers_a_tenth_must_do(redis: Redis) -> None:
    """Where answers say nothing, a tenth of the limit is granted until the window is over."""
    budget = timeless_budget(redis)
    time = Time(redis)
    await time.set(BEGIN)
    assert await budget.take(PORTAL) == 0

    await budget.learn(PORTAL, {}, elapsed_ms=0)

    assert await granted(budget) == 9
    await time.on(WINDOW + 1)
    assert await granted(budget) == 92


async def test_an_answer_that_never_comes_blocks_for_a_window(redis: Redis) -> None:
    """A reader that died with the first request keeps the others waiting for one window at most."""
    budget = timeless_budget(redis)
    time = Time(redis)
    await time.set(BEGIN)
    assert await budget.take(PORTAL) == 0

    await time.set(BEGIN + WINDOW - 100)
    wait_ms = await budget.take(PORTAL)
    await time.on(wait_ms)

    assert wait_ms == 101
    assert await granted(budget) == 92


async def test_an_idle_account_is_not_lost(redis: Redis) -> None:
    """Once Redis is a window old, an account without a log was not asked for anything."""
    budget = timeless_budget(redis)
    await settled(redis, budget)

    assert await redis.exists(f"budget:{PORTAL}") == 0
    assert await granted(budget) == 92


async def test_searches_go_slow_for_a_window(redis: Redis) -> None:
    """Search answers carry no header, so a lost window of theirs is waited out."""
    budget = timeless_budget(redis)
    time = Time(redis)
    await time.set(BEGIN)

    assert [await budget.take(PORTAL, kind="search") for _ in range(2)] == [0, 1026]
    await time.on(1026)
    assert [await budget.take(PORTAL, kind="search") for _ in range(5)] == [0, 0, 0, 0, 1026]


@pytest.mark.parametrize("aof", [True, False])
async def test_a_restarted_server_may_have_lost_grants(make_redis: MakeRedis, aof: bool) -> None:  # noqa: FBT001 - a test's parameter
    """After a restart, with or without its data, one taker finds out what HubSpot has counted."""
    server = make_redis(aof=aof)
    redis = connect(server.url)
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    assert await budget.take(PORTAL, 10) == 0

    server.restart()
    await time.set(BEGIN + 1)

    assert await budget.take(PORTAL, 5) == 0
    assert await budget.take(PORTAL, 5) == LOOK_AGAIN
    await redis.aclose()


async def test_the_servers_clock_counts(redis: Redis) -> None:
    """With the server's own clock a new data set is distrusted for a window and then believed."""
    timing = Timing().scaled(0.01)
    budget = Budget(redis, "", timing)

    assert [await budget.take(PORTAL) for _ in range(2)] == [0, timing.pace_ms]
    await asyncio.sleep((timing.budget_window_ms + 2) / 1000)
    assert await budget.take(PORTAL, 50) == 0
    assert await budget.take(PORTAL, 42) == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(4, 8)),
        st.tuples(st.just("pass"), st.integers(1, 3_000)),
    ),
    max_size=40,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=STEPS, after=STEPS)
def test_a_loss_does_not_cost_a_429(
    redis_url: str, before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    """Redis may lose everything at any time: the read that finds out fits into the reserve."""

    async def play() -> None:
        redis = connect(redis_url)
        await redis.flushall()
        budget, counter = timeless_budget(redis), Counter(100)
        time = await settled(redis, budget)
        for what, number in [*before, ("lose", 0), *after]:
            if what == "pass":
                await time.on(number)
            elif what == "lose":
                await redis.flushall()
                await time.set(time.now)
            elif await budget.take(PORTAL, number) == 0:
                for _ in range(number):
                    answer = counter.ask(time.now)
                    assert answer is not None
                    await budget.learn(PORTAL, answer, elapsed_ms=0)
        await redis.aclose()

    asyncio.run(play())
