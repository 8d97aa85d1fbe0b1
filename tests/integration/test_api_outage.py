"""A deployment of many accounts while HubSpot's API is out, and when it is back."""

import asyncio
from pathlib import Path

import pytest

from jobs.redis import command
from jobs.timing import Timing
from tests.simulator.switchboard import Fault
from tests.support.crowd import MANY, connect_crowd, log_a_call_each
from tests.support.evidence import read_events
from tests.support.fleet import Fleet, Plan, fleet
from tests.support.redis import MakeRedis
from tests.support.trouble import assert_sound_logs
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

ACCOUNTS = 60
SCALE = 0.1
COST = 5
"""Requests of one probe: a batch read, and one for each type of association."""


async def count_requests(running: Fleet) -> int:
    """Return how many requests HubSpot got, of all accounts."""
    accounts = (await running.hubspot.requests()).accounts
    return sum(sum(counts.by_operation.values()) for counts in accounts.values())


async def test_outage_is_probed_by_the_deployment_as_one(
    tmp_path: Path, make_redis: MakeRedis
) -> None:
    """Sixty accounts with changes ask HubSpot a handful of times a minute; then all catch up.

    Waits are a tenth of the real ones, so a minute is six seconds.
    """
    plan = Plan(services=1, workers=2, environ={**MANY, "TIMING_SCALE": f"{SCALE}"})
    async with fleet(plan, tmp_path, make_redis()) as running:
        portals = await connect_crowd(running, ACCOUNTS)
        await running.hubspot.fault(Fault(effect="status", status=503))
        await log_a_call_each(running, portals)

        async def is_out() -> bool:
            return await command(running.redis, "EXISTS", "fleet:breaker") == 1

        async def all_told() -> bool:
            events, _ = await read_events(running.redis, "fleet")
            return {event.data.portal_id for event in events} == set(portals)

        await until(is_out)
        longest_s = Timing().scaled(SCALE).probe_last_ms / 1000
        await asyncio.sleep(longest_s)
        await running.hubspot.reset_counts()
        await asyncio.sleep(4 * longest_s)
        assert COST <= await count_requests(running) <= 5 * COST
        await running.hubspot.clear_faults()
        await until(all_told, timeout_s=longest_s + 5)
        assert not await is_out()
        assert_sound_logs(running.programs)
