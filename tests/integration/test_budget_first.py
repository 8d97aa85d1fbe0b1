"""Work that can wait leaves room to work that cannot, and comes after it."""

import pytest
from redis.asyncio import Redis

from jobs.hubspot.budget import Budget
from jobs.timing import Timing

PORTAL = 62515
START = 1_700_000_000_000
WINDOW = 10_250
LEAVING = 5


class Clock:
    """A clock in Redis that stands still until it is moved."""

    SOURCE = "local function now_ms() return tonumber(redis.call('GET', 'clock')) end"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.now = START

    async def move(self, ms: int) -> None:
        """Let time pass."""
        self.now += ms
        await self._redis.set("clock", self.now)


@pytest.fixture
async def clock(redis: Redis) -> Clock:
    """A clock, with a window behind it since Redis lost anything."""
    clock = Clock(redis)
    await clock.move(0)
    await budget(redis).take(1)
    await clock.move(2 * WINDOW)
    return clock


def budget(redis: Redis, rate_limit: int = 100) -> Budget:
    """Return a budget of 92 requests in 10.25 s, on the test's clock."""
    return Budget(redis, "", Timing(), rate_limit=rate_limit, clock=Clock.SOURCE)


async def test_room_is_left(redis: Redis, clock: Clock) -> None:
    """However long it asks, work that leaves five free finds no more than the rest of a window."""
    granted: list[int] = []
    for _ in range(3_000):
        if await budget(redis).take(PORTAL, leaving=LEAVING) == 0:
            granted.append(clock.now)
        else:
            await clock.move(10)
    for now in granted:
        assert sum(now - WINDOW <= then <= now for then in granted) <= 92 - LEAVING
    assert await budget(redis).take(PORTAL, LEAVING) == 0


async def test_all_but_the_room_is_used(redis: Redis, clock: Clock) -> None:
    """Work that leaves room and comes back when told gets more than nine tenths of the window."""
    began, granted = clock.now, 0
    while clock.now < began + 5 * WINDOW:
        wait = await budget(redis).take(PORTAL, leaving=LEAVING)
        granted += wait == 0
        await clock.move(wait)
    assert granted / (clock.now - began) >= 0.9 * 92 / WINDOW


async def test_grants_are_spread(redis: Redis, clock: Clock) -> None:
    """No tenth of a window takes much more than a tenth of its requests."""
    granted: list[int] = []
    while clock.now < START + 6 * WINDOW:
        wait = await budget(redis).take(PORTAL, leaving=LEAVING)
        if wait == 0:
            granted.append(clock.now)
        await clock.move(wait)
    for now in granted:
        assert sum(now <= then < now + WINDOW // 10 for then in granted) <= 10


async def test_who_had_to_wait_goes_first(redis: Redis, clock: Clock) -> None:
    """While a taker that leaves nothing waits, one that leaves something is not granted."""
    taker = budget(redis)
    assert await taker.take(PORTAL, 90) == 0
    wait = await taker.take(PORTAL, 5)
    assert wait > 0
    await clock.move(wait)
    assert await taker.take(PORTAL, leaving=LEAVING) > 0
    assert await taker.take(PORTAL, 5) == 0
    assert await taker.take(PORTAL, leaving=LEAVING) == 0


async def test_who_does_not_come_back_is_not_waited_for(redis: Redis, clock: Clock) -> None:
    """A taker that had to wait and stays away holds up the others for a second only."""
    taker = budget(redis)
    assert await taker.take(PORTAL, 90) == 0
    await clock.move(await taker.take(PORTAL, 5))
    wait = await taker.take(PORTAL, leaving=LEAVING)
    assert 0 < wait <= 1_000
    await clock.move(wait)
    assert await taker.take(PORTAL, leaving=LEAVING) == 0


async def test_a_small_window_is_shared_as_well(redis: Redis, clock: Clock) -> None:
    """Where a window has less room than is to be left, work that can wait still gets a little."""
    taker = budget(redis, rate_limit=5)
    began = clock.now
    assert await taker.take(PORTAL, leaving=LEAVING) == 0
    wait = await taker.take(PORTAL, leaving=LEAVING)
    assert 0 < wait <= WINDOW + 1
    assert await taker.take(PORTAL, 2) == 0
    assert clock.now == began


async def test_a_tenth_of_the_day_is_left(redis: Redis, clock: Clock) -> None:
    """Of a day's requests a tenth is left to work that cannot wait, beside the reserve."""
    del clock
    taker = budget(redis)
    headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "190"}
    await taker.learn(PORTAL, headers, elapsed_ms=1)
    assert await taker.take(PORTAL, leaving=LEAVING) > 0
    assert await taker.take(PORTAL, 5) == 0
