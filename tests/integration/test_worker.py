"""A worker in the test's own process: it outlives Redis and stops when told."""

import asyncio
import os
import signal

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs import worker
from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.redis import connect
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.support.redis import MakeRedis
from tests.support.waiting import until

pytestmark = [
    pytest.mark.one_redis,
    # arq closes its connections by a name that redis-py has given another.
    pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning"),
]


async def test_worker_outlives_a_redis_that_is_away_for_long(
    make_redis: MakeRedis,
    simulator: Running,
    control: Control,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When arq gives a Redis up, its workers are started anew and go on where they were."""
    monkeypatch.setattr(worker, "REDIS_RETRIES", 0)
    server = make_redis(port=0, aof=True)
    settings = Settings(
        redis_url=server.url,
        streams_redis_url=server.url,
        hubspot_access_token=Secret(simulator.token),
        hubspot_portal_id=simulator.portal_id,
        hubspot_api_url=simulator.url,
        hubspot_rate_limit=1_000_000,
    )
    call_id = await control.create({"hs_call_title": "Discovery Call"})
    async with connect(server.url) as redis:
        with capture_logs() as logs:
            running = asyncio.create_task(worker.run(settings))
            await until(lambda: redis.exists("ledger:fleet"))
            server.kill()

            async def has_given_up() -> bool:
                return any(entry["event"] == "queue left" for entry in logs)

            await until(has_given_up)
            await asyncio.to_thread(server.start)
        await mark(redis, simulator.portal_id, call_id)
        await until(lambda: redis.exists("calls:{0}"), timeout_s=20)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 20)


async def mark(redis: Redis, portal_id: int, call_id: int) -> None:
    """Mark a call without ringing: the sweep finds it."""
    hint = Hint("propertyChange", 1, "hs_call_title")
    await Ledger(redis, "", Timing()).mark([Mark(portal_id, str(call_id), (hint,))])
