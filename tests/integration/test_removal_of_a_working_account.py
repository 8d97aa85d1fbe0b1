"""Removing an account while a whole deployment works on it, from the command line."""

import asyncio
import re
from pathlib import Path

import msgspec
import pytest
from callstream_client.events import ACCOUNT_REMOVED

from tests.support.commands import CALLSTREAM, run_command
from tests.support.connecting import Connecting
from tests.support.fleet import Plan, fleet_of
from tests.support.planted import dumped
from tests.support.redis import MakeRedis
from tests.support.trouble import SCALED, assert_sound_logs
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

QUEUES = ("redis arq:", "redis fleet:callstream:")
"""Where jobs wait."""
PLAN = Plan(
    services=1,
    workers=2,
    balanced=False,
    knobs={"oauth_rate_limit": 1_000_000, "latency_ms": 20},
    environ={**SCALED, "RECONCILE_EVERY": "1s"},
)


async def test_nothing_of_it_comes_back(tmp_path: Path, make_redis: MakeRedis) -> None:
    """Live jobs, a backfill and reconciliations are at it; once removed, nothing is written of it.

    A job that still waits on a queue finds nothing to do when its time comes.
    """
    async with fleet_of(Connecting, PLAN, tmp_path, make_redis()) as running:
        hubspot, portal_id = running.hubspot, running.portal_id
        await hubspot.bulk(2_000)
        assert (await running.connect()).status == 200
        await hubspot.traffic(30)

        async def at_work() -> bool:
            return int(await running.redis.xlen("fleet:calls:{0}")) > 300

        await until(at_work, timeout_s=30)
        await hubspot.install(installed=False)
        await hubspot.traffic(0)
        await hubspot.quiet()

        environ = {name: value for name, value in running.environ.items() if value}
        command = [*CALLSTREAM, "accounts", "remove", str(portal_id), "--now", "--json"]
        result = await asyncio.to_thread(run_command, command, tmp_path, **environ)
        assert result.returncode == 0, result.stderr
        told = msgspec.json.decode(result.stdout, type=dict[str, int])
        assert told["events"] > 300
        assert told["notices"] == 1
        await asyncio.sleep(3)

        word = re.compile(rf"(?<!\d){portal_id}(?!\d)".encode())
        kept = await dumped(running.redis)
        left = {
            place: held
            for place, held in kept.items()
            if word.search(held) and not place.startswith(QUEUES)
        }
        assert set(left) == {"redis fleet:calls:{0}"}
        assert left.popitem()[1].count(ACCOUNT_REMOVED.encode()) == 1
        assert await running.redis.xlen("fleet:calls:{0}") == 1
        assert_sound_logs(running.programs[1:])
