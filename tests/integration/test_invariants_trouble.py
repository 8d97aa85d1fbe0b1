"""The six invariants on a whole deployment in trouble: two services, two workers, real processes.

HubSpot repeats, delays and scatters notifications and fails 5 % of the requests; calls are logged,
edited, associated, archived, restored, merged and purged. Our waits are cut to `SCALED`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.fleet import Fleet, Plan, fleet
from tests.support.invariants import assert_invariants
from tests.support.redis import MakeRedis
from tests.support.trouble import DISORDER, SCALED, assert_sound_logs, fail_requests

pytestmark = pytest.mark.one_redis

RATE = 40.0
"""Changes per second, each of up to twenty notifications."""
CALM_S = 1.5
SETTLED_WITHIN_S = 60.0
"""An association that came and went is looked for during two minutes, scaled."""
DURABLE = {"appendfsync": "always"}


async def kill_workers(running: Fleet) -> None:
    """SIGKILL one worker after the other, and start it again."""
    for worker in running.workers:
        await worker.kill()
        await asyncio.sleep(CALM_S)
        await worker.start()
        await running.ready()


async def kill_services(running: Fleet) -> None:
    """SIGKILL one service after the other with its child, and start it again."""
    for service in running.services:
        await service.kill()
        await asyncio.sleep(CALM_S)
        await service.start()
        await running.ready()


async def kill_redis(running: Fleet) -> None:
    """SIGKILL Redis twice, and start it again on what its append-only file holds."""
    for _ in range(2):
        await asyncio.to_thread(running.server.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(running.server.start)
        await asyncio.sleep(CALM_S)


@pytest.mark.parametrize("strike", [kill_workers, kill_services, kill_redis])
async def test_invariants_hold_when_a_process_is_killed(
    strike: Callable[[Fleet], Awaitable[None]], tmp_path: Path, make_redis: MakeRedis
) -> None:
    """A worker, a service or Redis killed under load loses, repeats and reorders nothing."""
    server = make_redis(aof=True, **DURABLE)
    plan = Plan(knobs={**DISORDER, "latency_ms": 100}, environ=SCALED)
    async with fleet(plan, tmp_path, server) as running:
        await fail_requests(running)
        await running.hubspot.traffic(RATE)
        await asyncio.sleep(CALM_S)
        await strike(running)
        await asyncio.sleep(CALM_S)
        evidence = await running.settle(SETTLED_WITHIN_S)
        assert_invariants(evidence)
        tally = (await running.hubspot.deliveries()).tally
        assert tally.given_up == 0
        assert tally.made > 1_000
        assert_sound_logs(running.programs)


async def test_invariants_hold_within_the_budget(tmp_path: Path, make_redis: MakeRedis) -> None:
    """Under a limit of 110 requests in HubSpot's full 10 s nothing is lost, and none is refused."""
    limit = 110
    plan = Plan(knobs=DISORDER, environ=SCALED, rate_limit=limit)
    async with fleet(plan, tmp_path, make_redis(aof=True, **DURABLE)) as running:
        await fail_requests(running)
        await running.hubspot.traffic(RATE)
        await asyncio.sleep(6)
        evidence = await running.settle(SETTLED_WITHIN_S)
        assert_invariants(evidence)
        assert evidence.counts.peak_10s > limit // 2  # the limit was felt
        assert_sound_logs(running.programs)
