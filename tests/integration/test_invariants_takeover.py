"""A worker that is killed with calls in its hands: another one takes them up, at the real waits."""

import time
from pathlib import Path

import pytest

from tests.simulator.messages import Create
from tests.support.evidence import read_events
from tests.support.fleet import Plan, fleet
from tests.support.outstanding import outstanding
from tests.support.redis import MakeRedis
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

WITHIN_S = 15.0


async def test_calls_of_a_killed_worker_are_taken_up(tmp_path: Path, make_redis: MakeRedis) -> None:
    """Calls that a worker held when it was killed are on the stream within 15 s.

    The other worker is frozen while the first one claims, so that the claim is known to be lost.
    """
    calls = 50
    async with fleet(Plan(services=1), tmp_path, make_redis()) as running:
        lost, heir = running.workers
        space, portal_id = running.plan.namespace, running.portal_id

        async def held() -> bool:
            left = await outstanding(running.redis, space, portal_id)
            return len(left.leases) == calls

        async def published() -> bool:
            events, _ = await read_events(running.redis, space)
            return len({event.subject for event in events}) == calls

        await heir.pause()
        await running.hubspot.turn(latency_ms=3_000)
        await running.hubspot.do(
            *[Create(properties={"hs_call_title": f"Call {number}"}) for number in range(calls)]
        )
        await until(held)
        await lost.kill()
        killed_at = time.monotonic()
        await running.hubspot.turn(latency_ms=0)
        await heir.resume()
        await until(published, timeout_s=WITHIN_S)
        assert time.monotonic() - killed_at < WITHIN_S
