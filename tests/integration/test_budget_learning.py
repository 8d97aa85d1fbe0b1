"""What the budget learns from answers: limits, the day, and others on the same token."""

import pytest
from redis.asyncio import Redis

from jobs.hubspot.budget import Budget
from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.limits import Limit
from tests.support.traffic import (
    BEGIN,
    PORTAL,
    Counter,
    Drain,
    ask_beside,
    settled,
    timeless_budget,
)

WINDOW = 10_250
MINUTE = 60_000


def headers(**values: int) -> dict[str, str]:
    """Return rate-limit headers: `daily_remaining` is `X-HubSpot-RateLimit-Daily-Remaining`."""
    return {
        f"X-HubSpot-RateLimit-{name.replace('_', '-').title()}": str(value)
        for name, value in values.items()
    }


def burst(limit: int, remaining: int, interval_ms: int = 10_000) -> dict[str, str]:
    """Return the headers of the burst window."""
    return headers(max=limit, remaining=remaining, interval_milliseconds=interval_ms)


async def granted(budget: Budget, kind: str = "burst") -> int:
    """Take one by one, and return how many were granted before one had to wait."""
    taken = 0
    while await budget.take(PORTAL, kind="search" if kind == "search" else "burst") == 0:
        taken += 1
    return taken


async def test_a_limit_is_learned(redis: Redis) -> None:
    """The account's own limit and interval replace what the settings said."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    assert await budget.take(PORTAL) == 0

    await budget.learn(PORTAL, burst(190, 189, 1_000), elapsed_ms=0)

    assert await granted(budget) == 174
    await time.on(1_026)
    assert await granted(budget) == 175


async def test_every_process_learns(redis: Redis) -> None:
    """What one process was told holds for the others."""
    await settled(redis, timeless_budget(redis))
    await timeless_budget(redis).learn(PORTAL, burst(50, 50), elapsed_ms=0)
    budget = timeless_budget(redis)

    assert await granted(budget) == 46


async def test_an_answer_without_headers_unlearns_nothing(redis: Redis) -> None:
    """A failing gateway's answer leaves the learned limit."""
    budget = timeless_budget(redis)
    await settled(redis, budget)
    await budget.learn(PORTAL, burst(50, 50), elapsed_ms=0)

    await budget.learn(PORTAL, {}, elapsed_ms=0)

    assert await granted(budget) == 46


async def test_our_own_requests_are_not_taken_for_others(redis: Redis) -> None:
    """What HubSpot has counted and the log holds is ours, also what a slow answer left behind."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    assert await budget.take(PORTAL, 90) == 0
    await time.on(9_000)
    assert await budget.take(PORTAL, 2) == 0
    await time.on(2_000)  # the 90 have left the window, and were in it when the two were sent

    await budget.learn(PORTAL, burst(100, 8), elapsed_ms=2_000)

    assert await granted(budget) == 90


async def test_others_take_off_our_share(redis: Redis) -> None:
    """What others use beyond half of the reserve is no longer asked for."""
    budget = timeless_budget(redis)
    await settled(redis, budget)
    assert await budget.take(PORTAL) == 0

    await budget.learn(PORTAL, burst(100, 64), elapsed_ms=0)  # 36 counted, one of them ours

    assert await granted(budget) == 100 - 35 - 5 - 1


async def test_a_few_others_are_what_the_reserve_is_for(redis: Redis) -> None:
    """Others within the reserve cost our share nothing."""
    budget = timeless_budget(redis)
    await settled(redis, budget)

    await budget.learn(PORTAL, burst(100, 97), elapsed_ms=0)

    assert await granted(budget) == 92


async def test_others_cannot_take_everything(redis: Redis) -> None:
    """A tenth of the limit is asked for, however much others use."""
    budget = timeless_budget(redis)
    await settled(redis, budget)

    await budget.learn(PORTAL, burst(100, 0), elapsed_ms=0)

    assert await granted(budget) == 10


async def test_others_are_forgotten(redis: Redis) -> None:
    """The most that was seen of others holds for three windows at least, and for six at most."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    await budget.learn(PORTAL, burst(100, 60), elapsed_ms=0)

    await time.on(3 * WINDOW)
    assert await granted(budget) == 55
    await time.on(3 * WINDOW)
    assert await granted(budget) == 92


@pytest.mark.one_redis
@pytest.mark.parametrize("jobs", [4, 20])
async def test_a_backlog_is_drained_at_our_share(redis: Redis, jobs: int) -> None:
    """Alone on the token, 95 % of our share are used and HubSpot never answers 429."""
    budget, counter = timeless_budget(redis), Counter(110)
    drain = Drain(budget, await settled(redis, budget), counter, seed=1, jobs=jobs)
    await budget.learn(PORTAL, counter.headers(), elapsed_ms=0)

    await drain.run(MINUTE)

    assert drain.refused == []
    assert len(drain.answered) / 6 >= 0.95 * 0.9 * 110


@pytest.mark.one_redis
@pytest.mark.parametrize("jobs", [4, 20])
async def test_another_process_takes_a_third(redis: Redis, jobs: int) -> None:
    """Beside another process there is at most one 429 a minute once it was seen for a minute."""
    budget, counter = timeless_budget(redis), Counter(110)
    drain = Drain(budget, await settled(redis, budget), counter, seed=1, jobs=jobs)
    ask_beside(drain, every_ms=273)

    await drain.run(3 * MINUTE)

    late = [at for at in drain.refused if at > MINUTE]
    assert len(late) <= 2
    assert len(drain.answered) / 18 >= 0.85 * (110 * 2 / 3 - 11)


async def test_a_spent_day_waits(redis: Redis) -> None:
    """Of the daily limit the reserve is left; one taker at a time sees whether it is renewed."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    await budget.learn(PORTAL, headers(daily=1000, daily_remaining=103), elapsed_ms=0)

    assert [await budget.take(PORTAL) for _ in range(4)] == [0, 0, 0, 5 * MINUTE]
    await time.on(5 * MINUTE)
    assert [await budget.take(PORTAL) for _ in range(2)] == [0, 5 * MINUTE]


async def test_a_new_day_begins(redis: Redis) -> None:
    """The first answer that shows the renewed daily limit lets everybody go on."""
    budget = timeless_budget(redis)
    await settled(redis, budget)
    await budget.learn(PORTAL, headers(daily=1000, daily_remaining=0), elapsed_ms=0)
    assert await budget.take(PORTAL, kind="search") > 0

    await budget.learn(PORTAL, headers(daily=1000, daily_remaining=999), elapsed_ms=0)

    assert await budget.take(PORTAL) == 0
    assert await budget.take(PORTAL, kind="search") == 0


@pytest.mark.parametrize(
    ("limit", "kind", "told", "waits"),
    [
        ("ten_secondly", "burst", None, {"burst": WINDOW, "search": 0}),
        ("ten_secondly", "burst", 3_000, {"burst": 3_000, "search": 0}),
        ("ten_secondly", "burst", 0, {"burst": WINDOW, "search": 0}),
        ("secondly", "search", None, {"burst": 0, "search": 1_025}),
        ("daily", "burst", None, {"burst": 5 * MINUTE, "search": 5 * MINUTE}),
        ("daily", "search", 7_000_000, {"burst": 7_000_000, "search": 7_000_000}),
        ("unknown", "burst", None, {"burst": WINDOW, "search": 0}),
        ("unknown", "search", None, {"burst": 0, "search": WINDOW}),
    ],
)
async def test_a_429_cools_what_it_names(
    redis: Redis, limit: Limit, kind: str, told: int | None, waits: dict[str, int]
) -> None:
    """Exactly the named limit rests, for the told time or for its own length."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    failure = PortalFailure(kind="rate_limited", status=429, limit=limit, retry_after_ms=told)

    cooled_ms = await budget.cool(PORTAL, failure, "search" if kind == "search" else "burst")

    assert cooled_ms == max(waits.values())
    assert await budget.take(PORTAL) == waits["burst"]
    assert await budget.take(PORTAL, kind="search") == waits["search"]
    assert await budget.take(PORTAL + 1) == 0
    await time.on(cooled_ms)
    assert await budget.take(PORTAL) == 0
    await budget.learn(PORTAL, {}, elapsed_ms=0)
    assert await budget.take(PORTAL, kind="search") == 0


async def test_one_finds_out_whether_the_day_is_over(redis: Redis) -> None:
    """After a daily 429's rest one taker asks, and not all of them, until an answer is no 429.

    Answers to OAuth apps do not say what is left of the day.
    """
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    spent = PortalFailure(kind="rate_limited", status=429, limit="daily")
    for _ in range(2):
        await budget.learn(PORTAL, {}, elapsed_ms=0, status=429)
        await time.on(await budget.cool(PORTAL, spent))
        assert [await budget.take(PORTAL) for _ in range(3)] == [0, 5 * MINUTE, 5 * MINUTE]
        assert await budget.take(PORTAL, kind="search") == 5 * MINUTE
    await budget.learn(PORTAL, {}, elapsed_ms=0)
    assert [await budget.take(PORTAL) for _ in range(3)] == [0, 0, 0]


async def test_an_earlier_answer_does_not_end_the_rest(redis: Redis) -> None:
    """What was answered beside a daily 429 says nothing about the day after it."""
    budget = timeless_budget(redis)
    await settled(redis, budget)
    spent = PortalFailure(kind="rate_limited", status=429, limit="daily")
    await budget.cool(PORTAL, spent)
    await budget.learn(PORTAL, {}, elapsed_ms=0)
    assert await budget.take(PORTAL) == 5 * MINUTE


async def test_a_longer_word_is_not_cut_short(redis: Redis) -> None:
    """Of several 429s the latest time holds."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    told = [9_000, 2_000, 12_000]

    cooled = [
        await budget.cool(
            PORTAL,
            PortalFailure(kind="rate_limited", limit="ten_secondly", retry_after_ms=wait_ms),
        )
        for wait_ms in told
    ]

    assert cooled == [9_000, 9_000, 12_000]
    assert time.now == BEGIN
