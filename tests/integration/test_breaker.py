"""An outage of HubSpot's API as a whole: noticed by all, probed by one, over at once."""

import itertools
import random

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.hubspot.breaker import TRIPS_AT
from jobs.hubspot.budget import Budget
from jobs.hubspot.errors import HubSpotError
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Later, Mark, Outcome
from jobs.redis import command
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.switchboard import Fault
from tests.support.desk import Desk
from tests.support.traffic import PORTAL, settled, timeless_budget

QUEUE = "tenant-1:callstream:live"
AN_HOUR = 3_600_000
MINUTE = 60_000
FIRST, LAST = Timing().probe_first_ms, Timing().probe_last_ms


async def fail(budget: Budget, accounts: int) -> None:
    """Let requests of so many accounts go unanswered."""
    for portal_id in range(accounts):
        await budget.fail(portal_id)


async def test_outage_is_what_many_accounts_see(redis: Redis) -> None:
    """One account's failures, however many, hold nobody else up; those of ten do."""
    budget = timeless_budget(redis)
    await settled(redis, budget)
    for _ in range(100):
        await fail(budget, TRIPS_AT - 1)
    assert await budget.take(PORTAL) == 0
    await budget.fail(TRIPS_AT)
    assert await budget.take(PORTAL) == FIRST
    assert await timeless_budget(redis).take(PORTAL, kind="search") == FIRST


@pytest.mark.parametrize("status", [200, 401, 429, 503])
async def test_answer_in_between_begins_the_count_anew(redis: Redis, status: int) -> None:
    """Failures count as an outage only while nothing answers; a failing answer is none."""
    budget = timeless_budget(redis)
    await settled(redis, budget)
    await fail(budget, TRIPS_AT - 1)
    await budget.learn(PORTAL, {}, elapsed_ms=0, status=status)
    await budget.fail(TRIPS_AT)
    assert (await budget.take(PORTAL) == 0) is (status < 500)


async def test_deployment_sends_a_handful_of_probes_a_minute(redis: Redis) -> None:
    """However many accounts of however many processes want to ask, few may, ever more rarely."""
    budgets = [timeless_budget(redis) for _ in range(3)]
    time = await settled(redis, budgets[0])
    await fail(budgets[0], TRIPS_AT)
    began, rng = time.now, random.Random(1)
    probes: list[int] = []
    while time.now < began + 10 * MINUTE:
        portal_id = rng.randrange(1_000)
        budget = rng.choice(budgets)
        if await budget.take(portal_id, 5) == 0:
            probes.append(time.now - began)
            await budget.fail(portal_id)
        await time.on(200)
    assert len([at for at in probes if at < MINUTE]) <= 8
    assert len(probes) <= 44
    assert max(after - before for before, after in itertools.pairwise(probes)) <= LAST + 200


async def test_probe_that_is_answered_ends_the_outage(redis: Redis) -> None:
    """The first answer lets everybody ask again, at once."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    await fail(budget, TRIPS_AT)
    await time.on(FIRST)
    assert await budget.take(1) == 0
    assert await budget.take(2) == 2 * FIRST
    await budget.learn(1, {}, elapsed_ms=0)
    assert [await budget.take(portal_id) for portal_id in range(5)] == [0] * 5


async def test_probe_without_budget_is_left_to_another(redis: Redis) -> None:
    """An account whose own window is spent does not use up the probe."""
    budget = timeless_budget(redis)
    time = await settled(redis, budget)
    assert await budget.take(1, 92) == 0
    await fail(budget, TRIPS_AT)
    await time.on(FIRST)
    assert await budget.take(1) > 0
    assert await budget.take(2) == 0


class Outage:
    """HubSpot's API is out for the ledger of some portals with marks."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.budget = Budget(redis, "tenant-1", Timing())
        self.ledger = Ledger(redis, "tenant-1", Timing())

    async def begin(self, portals: int) -> None:
        """Connect and mark so many portals, from 1 on; let the breaker open."""
        await self.ledger.beat("one", 1_000)
        for portal_id in range(1, portals + 1):
            await self.ledger.connect(portal_id)
            await self.mark(portal_id)
        await fail(self.budget, TRIPS_AT)

    async def mark(self, portal_id: int) -> int:
        """Mark a call of the portal, and return how many doorbells that rings."""
        return len(await self.ledger.mark([Mark(portal_id, "1", (Hint("creation", 1),))]))

    async def probe_now(self) -> None:
        """Let the time of the next probe have come."""
        await command(self.redis, "HSET", "tenant-1:breaker", "probe_at", 1)

    async def end(self) -> None:
        """Let HubSpot answer."""
        await self.budget.learn(1, {}, elapsed_ms=0)


@pytest.fixture
def outage(redis: Redis, namespace: str) -> Outage:
    """An outage that has yet to begin."""
    assert namespace == "tenant-1"
    return Outage(redis)


async def test_no_portal_is_rung_or_claimed_during_an_outage(outage: Outage) -> None:
    """Marks are kept and ring nothing, doorbells on their way claim nothing, the sweep rests."""
    await outage.begin(3)
    assert await outage.mark(4) == 0
    assert await outage.ledger.connect(4) == []
    assert (await outage.ledger.claim(1)).token == ""
    assert await outage.ledger.sweep("one", QUEUE) == []


async def test_one_portal_is_rung_for_a_probe(outage: Outage) -> None:
    """When the time of a probe has come the sweep rings one portal, and its claim begins."""
    await outage.begin(0)
    for portal_id in (1, 2, 3):
        await outage.ledger.connect(portal_id)
        await outage.mark(portal_id)
    await outage.probe_now()
    (bell,) = await outage.ledger.sweep("one", QUEUE)
    assert len((await outage.ledger.claim(bell.portal_id, bell.bell_id)).calls) == 1


async def test_failed_probe_costs_its_portal_no_backoff(outage: Outage) -> None:
    """During an outage a portal that fails sleeps until the next probe, and its failures stay."""
    await outage.begin(1)
    await outage.probe_now()
    claim = await outage.ledger.claim(1)
    assert await outage.budget.take(1) == 0
    handed_back = [Later(call.call_id) for call in claim.calls]
    await outage.ledger.settle(1, claim.token, handed_back, Outcome("failed", AN_HOUR, "server"))
    asleep_until = await command(outage.redis, "HGET", "tenant-1:ledger:1", "asleep_until")
    assert asleep_until == await command(outage.redis, "HGET", "tenant-1:breaker", "probe_at")
    assert await command(outage.redis, "HGET", "tenant-1:ledger:1", "failures") is None


async def test_portals_wake_up_scattered_when_it_is_over(outage: Outage) -> None:
    """Portals that sleep because the API was out are awake within a second, not all at once."""
    portals = range(1, TRIPS_AT)
    await outage.begin(len(portals))
    await outage.end()
    for portal_id in portals:
        claim = await outage.ledger.claim(portal_id)
        await outage.budget.fail(portal_id)
        outcome = Outcome("failed", AN_HOUR, "server")
        await outage.ledger.settle(portal_id, claim.token, [Later("1")], outcome)
    await outage.budget.fail(TRIPS_AT)
    await outage.end()
    assert await outage.ledger.sweep("one", QUEUE) == []
    seconds, micros = await outage.redis.time()
    wake_times = await outage.redis.zrange("tenant-1:ledger:portals", 0, -1, withscores=True)
    waits = [score - seconds * 1000 - micros / 1000 for _, score in wake_times]
    assert len(waits) == len(portals)
    assert max(waits) <= Timing().ring_horizon_ms
    assert max(waits) - min(waits) > Timing().ring_horizon_ms / 10


async def test_portal_asleep_for_another_reason_sleeps_on(outage: Outage) -> None:
    """The end of an outage wakes nobody who waits for budget, or for its operator."""
    await outage.begin(TRIPS_AT)
    await outage.ledger.sleep(1, AN_HOUR, "daily limit")
    asleep_until = await command(outage.redis, "HGET", "tenant-1:ledger:1", "asleep_until")
    await outage.end()
    await outage.ledger.sweep("one", QUEUE)
    assert await command(outage.redis, "HGET", "tenant-1:ledger:1", "asleep_until") == asleep_until


async def test_settled_claim_of_a_closed_account_leaves_no_trace(
    outage: Outage, redis: Redis
) -> None:
    """A pace that is told after the account was closed is not kept."""
    await outage.ledger.connect(1)
    await outage.mark(1)
    claim = await outage.ledger.claim(1)
    await outage.ledger.disconnect(1, "removed")
    await outage.ledger.settle(1, claim.token, [Later("1")], Outcome("well", pace_ms=700))
    assert await command(redis, "HGET", "tenant-1:ledger:1", "pace") is None


@pytest.mark.one_redis
@pytest.mark.parametrize(
    ("fault", "counts"),
    [
        (Fault(effect="status", status=503), 1),
        (Fault(effect="status", status=502), 1),
        (Fault(effect="cut"), 1),
        (Fault(effect="status", status=401), 0),
        (Fault(effect="status", status=403), 0),
        (Fault(effect="status", status=404), 0),
        (Fault(effect="status", status=423), 0),
        (Fault(effect="status", status=429), 0),
        (Fault(effect="corrupt"), 0),
    ],
)
async def test_only_a_failing_api_counts(
    desk: Desk, control: Control, fault: Fault, counts: int
) -> None:
    """What an account is refused for its own sake, and what cannot be read, is an answer."""
    await control.fault(msgspec.structs.replace(fault, portal_id=desk.portal_id))
    with pytest.raises(HubSpotError):
        await desk.context.hubspot.property_names(desk.portal_id)
    assert await command(desk.redis, "ZCARD", "tenant-1:breaker:failing") == counts
