"""Processes come and go in good order: SIGTERM loses nothing and ends with status 0."""

import asyncio
from pathlib import Path

import pytest

from tests.support.fleet import Plan, fleet
from tests.support.invariants import assert_invariants
from tests.support.redis import MakeRedis
from tests.support.trouble import DISORDER, SCALED, assert_sound_logs

pytestmark = pytest.mark.one_redis

GRACE_S = 20.0
"""SHUTDOWN_GRACE, by default."""


async def test_rolling_restart_loses_nothing(tmp_path: Path, make_redis: MakeRedis) -> None:
    """Each process in turn is terminated under load and ends with status 0 within its grace.

    HubSpot answers after 300 ms, so that jobs are in hand when the workers are told to stop.
    """
    plan = Plan(
        knobs={**DISORDER, "latency_ms": 300},
        environ={**SCALED, "SHUTDOWN_GRACE": f"{GRACE_S:.0f}"},
    )
    async with fleet(plan, tmp_path, make_redis(aof=True)) as running:
        await running.hubspot.traffic(30)
        for program in (*running.workers, *running.services):
            await asyncio.sleep(0.5)
            status, took_s = await program.terminate(GRACE_S + 5)
            assert status == 0, f"{program.name} ended with {status}"
            assert took_s < GRACE_S
            await program.start()
            await running.ready()
        assert_invariants(await running.settle(60))
        assert_sound_logs(running.programs)
