"""The budget's windows: exact, shared, and honest about waits."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from jobs.hubspot.budget import Budget
from jobs.redis import command, connect
from jobs.timing import Timing
from tests.support.traffic import BEGIN, PORTAL, settled, timeless_budget

WINDOW = 10_250
SHARE = 92
"""What is ours of 100 in 10.25 s, if 90 in 10 s are."""


async def test_no_window_exceeds_the_share(redis: Redis) -> None:
    """Our share of the limit is granted at once, and the next request a window later."""
    budget = timeless_budget(redis)
    await settled(redis, budget)

    waits = [await budget.take(PORTAL) for _ in range(SHARE + 1)]

    assert waits == [0] * SHARE + [WINDOW + 1]


async def test_a_cost_is_granted_whole_or_not_at_all(redis: Redis) -> None:
    """A take that does not fit leaves the window as it was, and a smaller one still fits."""
    budget = timeless_budget(redis)
    await settled(redis, budget)
    assert await budget.take(PORTAL, SHARE - 2) == 0

    assert await budget.take(PORTAL, 5) == WINDOW + 1
    assert await budget.take(PORTAL, 2) == 0


async def test_a_cost_above_the_share_waits_for_an_empty_window(redis: Redis) -> None:
    """A read larger than the whole share is granted alone rather than never."""
    budget = timeless_budget(redis, rate_limit=3)
    time_ = await settled(redis, budget)
    assert await budget.take(PORTAL, 1) == 0

    wait_ms = await budget.take(PORTAL, 5)
    await time_.on(wait_ms)

    assert wait_ms == WINDOW + 1
    assert await budget.take(PORTAL, 5) == 0
    assert await budget.take(PORTAL, 1) == WINDOW + 1


async def test_accounts_have_windows_of_their_own(redis: Redis) -> None:
    """An account that has spent its window costs another one nothing."""
    budget = timeless_budget(redis)
    await settled(redis, budget)
    await budget.take(PORTAL, SHARE)

    assert await budget.take(PORTAL) > 0
    assert await budget.take(PORTAL + 1, SHARE) == 0


async def test_searches_have_a_window_of_their_own(redis: Redis) -> None:
    """Of five searches a second four are ours; they and other requests do not count together."""
    budget = timeless_budget(redis)
    await settled(redis, budget)

    waits = [await budget.take(PORTAL, kind="search") for _ in range(5)]

    assert waits == [0, 0, 0, 0, 1026]
    assert await budget.take(PORTAL, SHARE) == 0


async def test_a_clock_that_is_set_back_stalls_nothing(redis: Redis) -> None:
    """Grants that lie an hour in the future count from now on, not for an hour."""
    budget = timeless_budget(redis)
    time_ = await settled(redis, budget)
    await budget.take(PORTAL, SHARE)

    await time_.on(-3_600_000)
    wait_ms = await budget.take(PORTAL)
    await time_.on(wait_ms)

    assert wait_ms == WINDOW + 1
    assert await budget.take(PORTAL) == 0


async def test_an_idle_account_is_forgotten(redis: Redis, namespace: str) -> None:
    """All that is kept of an account ends by itself; only Redis' own epoch stays."""
    budget = Budget(redis, namespace, Timing())

    await budget.take(PORTAL)
    await budget.take(PORTAL, kind="search")
    await budget.learn(PORTAL, {"X-HubSpot-RateLimit-Max": "190"}, elapsed_ms=5)

    endless = [key for key in await redis.keys() if await redis.pttl(key) < 0]
    assert endless == [f"{namespace}:budget:epoch".encode()]


@dataclass
class Model:
    """The window as a list of grants, and the wait by trying every ms that matters."""

    cap: int
    grants: list[int] = field(default_factory=list[int])

    def used(self, now: int) -> int:
        """Return how many grants the window that ends now holds."""
        return sum(1 for at in self.grants if now - WINDOW <= at <= now)

    def wait(self, now: int, cost: int) -> int:
        """Return the first ms at which the cost fits."""
        candidates = [now, *sorted(at + WINDOW + 1 for at in self.grants if at + WINDOW >= now)]
        return next(at for at in candidates if self.used(at) + cost <= self.cap) - now


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 6)),
        st.tuples(st.just("pass"), st.integers(1, 2 * WINDOW)),
        st.tuples(st.just("pass"), st.integers(1, 300)),
        st.tuples(st.just("wait"), st.integers(1, 6)),
    ),
    max_size=60,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(limit=st.integers(7, 30), steps=STEPS)
def test_every_history_agrees_with_the_model(
    redis_url: str, limit: int, steps: list[tuple[str, int]]
) -> None:
    """Grants and told waits are exact to the ms, and no window ever holds more than the share."""

    async def play() -> None:
        redis, other = connect(redis_url), connect(redis_url)
        await redis.flushall()
        budgets = [timeless_budget(client, rate_limit=limit) for client in (redis, other)]
        time_ = await settled(redis, budgets[0])
        model = Model(cap=int(limit * 0.9 * 1.025))
        for turn, (what, number) in enumerate(steps):
            if what == "pass":
                await time_.on(number)
                continue
            told = await budgets[turn % 2].take(PORTAL, number)
            assert told == model.wait(time_.now, number)
            if what == "wait" and told:
                await time_.on(told)
                assert await budgets[turn % 2].take(PORTAL, number) == 0
            if not told or what == "wait":
                model.grants += [time_.now] * number
            assert model.used(time_.now) <= model.cap
        await redis.aclose()
        await other.aclose()

    asyncio.run(play())


async def test_clients_share_the_window_in_real_time(redis_url: str, redis: Redis) -> None:
    """Greedy clients of one server never get more than the share in any window of its time."""
    timing = Timing().scaled(0.02)
    window_s, cap = timing.budget_window_ms / 1000, 18
    until = time.time() + 1.5
    grants: list[tuple[float, float]] = []

    async def client() -> None:
        own = connect(redis_url)
        budget = Budget(own, "", timing, rate_limit=20)
        while (before := time.time()) < until:
            wait_ms = await budget.take(PORTAL)
            if wait_ms:
                await asyncio.sleep(wait_ms / 1000)
            else:
                grants.append((before, time.time()))
        await own.aclose()

    await asyncio.sleep(window_s)
    await Budget(redis, "", timing).take(1)
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(client())

    def surely_within(begin: float) -> int:
        return sum(1 for sent, told in grants if begin <= sent and told <= begin + window_s)

    assert max(surely_within(begin) for begin, _ in grants) <= cap
    assert len(grants) >= 4 * cap


async def test_the_share_is_granted_again_and_again(redis: Redis) -> None:
    """A greedy taker that waits as told gets the whole share in every window."""
    budget = timeless_budget(redis)
    time_ = await settled(redis, budget)
    granted = 0

    while time_.now < BEGIN + 10 * WINDOW:
        wait_ms = await budget.take(PORTAL)
        granted += wait_ms == 0
        await time_.on(wait_ms)

    assert granted == 10 * SHARE


async def test_waits_are_told_while_the_window_is_full(redis: Redis) -> None:
    """A refused take changes nothing: the wait shrinks by the time that passed."""
    budget = timeless_budget(redis)
    time_ = await settled(redis, budget)
    await budget.take(PORTAL, SHARE)
    told: list[int] = []
    for _ in range(3):
        told.append(await budget.take(PORTAL))
        await time_.on(1000)

    assert told == [WINDOW + 1, WINDOW - 999, WINDOW - 1999]
    assert await command(redis, "ZCARD", f"budget:{PORTAL}:burst") == SHARE


@pytest.mark.parametrize(("limit", "share"), [(100, 92), (110, 101), (190, 175), (250, 230)])
async def test_the_share_is_a_rate(redis: Redis, limit: int, share: int) -> None:
    """What is ours of the limit in 10 s is granted in proportion to the longer window."""
    budget = timeless_budget(redis, rate_limit=limit)
    await settled(redis, budget)

    assert await budget.take(PORTAL, share) == 0
    assert await budget.take(PORTAL, 1) > 0
    assert budget.spending(PORTAL).rate * 10 == pytest.approx(limit * 0.9, abs=1)


async def test_without_a_reserve_the_limit_is_granted(redis: Redis) -> None:
    """The longer window never grants more than HubSpot's own limit."""
    budget = timeless_budget(redis, reserve=0.0)
    await settled(redis, budget)

    assert await budget.take(PORTAL, 100) == 0
    assert await budget.take(PORTAL, 1) > 0
