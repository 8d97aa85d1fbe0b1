"""Access tokens that end while four workers read: one refresh, and no read that fails.

Services, workers, Redis and the stand-in are real processes, and calls change all the while.
"""

import asyncio
from pathlib import Path

import pytest

from jobs.redis import command
from tests.simulator.control import Control
from tests.simulator.switchboard import Fault
from tests.support.connecting import Connecting
from tests.support.fleet import Plan, fleet_of
from tests.support.invariants import assert_invariants
from tests.support.redis import MakeRedis
from tests.support.trouble import assert_sound_logs
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

RATE = 40.0
"""Changes per second."""
LIFE_MS = 8_000
"""Of the first access token; it is refreshed in its last quarter."""
HALF_AN_HOUR_MS = 1_800_000
PLAN = Plan(
    services=1,
    workers=4,
    balanced=False,
    knobs={"token_life_ms": LIFE_MS, "oauth_rate_limit": 1_000_000, "latency_ms": 30},
    environ={"TIMING_SCALE": "0.2"},
)


async def watch_refreshes(hubspot: Control) -> int:
    """Count from now on what the token endpoint is asked, by a fault that does no harm."""
    return await hubspot.fault(Fault(effect="delay", delay_ms=100, operation="oauth.token"))


async def test_one_refresh_and_no_failed_read(tmp_path: Path, make_redis: MakeRedis) -> None:
    """When a token nears its end under load, it is refreshed once and no read is refused."""
    async with fleet_of(Connecting, PLAN, tmp_path, make_redis()) as running:
        hubspot = running.hubspot
        assert (await running.connect()).status == 200
        await hubspot.turn(token_life_ms=HALF_AN_HOUR_MS)
        watch = await watch_refreshes(hubspot)

        await hubspot.traffic(RATE)
        await asyncio.sleep(1.5 * LIFE_MS / 1000)
        evidence = await running.settle(60)

        assert (await hubspot.faults()).struck[watch] == 1
        assert set(evidence.counts.by_status) <= {200, 207}
        assert evidence.counts.object_reads > 50
        assert len(evidence.truth) > 50
        assert_invariants(evidence)
        assert_sound_logs(running.programs[1:])


async def test_a_token_that_ends_before_its_time(tmp_path: Path, make_redis: MakeRedis) -> None:
    """When HubSpot refuses a token that should still live, it is refreshed once by all together."""
    async with fleet_of(Connecting, PLAN, tmp_path, make_redis()) as running:
        hubspot, record = running.hubspot, f"fleet:accounts:{running.portal_id}"
        assert (await running.connect()).status == 200
        await command(running.redis, "HINCRBY", record, "expires_at", HALF_AN_HOUR_MS)
        await command(running.redis, "HSET", record, "life", HALF_AN_HOUR_MS)
        await hubspot.turn(token_life_ms=HALF_AN_HOUR_MS)
        watch = await watch_refreshes(hubspot)

        await hubspot.traffic(RATE)
        await asyncio.sleep(1.5 * LIFE_MS / 1000)
        evidence = await running.settle(60)

        assert (await hubspot.faults()).struck[watch] == 1
        assert set(evidence.counts.by_status) <= {200, 207}
        assert_invariants(evidence)
        assert_sound_logs(running.programs[1:])


async def test_an_uninstall_under_load(tmp_path: Path, make_redis: MakeRedis) -> None:
    """An uninstalled account is disconnected, keeps its marks, and goes on after a new install."""
    async with fleet_of(Connecting, PLAN, tmp_path, make_redis()) as running:
        hubspot, ledger = running.hubspot, f"fleet:ledger:{running.portal_id}"
        await hubspot.turn(token_life_ms=HALF_AN_HOUR_MS)
        assert (await running.connect()).status == 200
        await hubspot.traffic(RATE)
        await asyncio.sleep(2)
        watch = await watch_refreshes(hubspot)
        await hubspot.install(installed=False)

        async def disconnected() -> bool:
            held = await command(running.redis, "HMGET", ledger, "open", "why")
            return held == [b"0", b"HubSpot refuses its refresh token (BAD_REFRESH_TOKEN)"]

        await until(disconnected)
        await asyncio.sleep(1)
        assert (await hubspot.faults()).struck[watch] == 1

        assert (await running.connect()).status == 200
        await asyncio.sleep(2)
        evidence = await running.settle(60)
        assert evidence.outstanding.work == {}
        assert set(evidence.counts.by_status) <= {200, 207}
        told = [line for worker in running.workers for line in worker.text().splitlines()]
        assert len([line for line in told if "account disconnected" in line]) == 1
