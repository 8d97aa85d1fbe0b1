"""Notifications about accounts that there is no token for: kept, and told with both accounts."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.redis import command
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.support.program import Program
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

TOLD = "notifications name an account that is not connected"
SCALE = "0.05"
"""Strangers are looked for every 250 ms."""


class Line(msgspec.Struct):
    """A line of a worker's log."""

    event: str
    level: str
    portal_id: int = 0
    reason: str = ""


def told(worker: Program) -> list[Line]:
    """Return what the worker logged about strangers."""
    lines = [msgspec.json.decode(line, type=Line) for line in worker.text().splitlines()]
    return [line for line in lines if line.event == TOLD]


@pytest.fixture
async def worker(
    redis_url: str, namespace: str, simulator: Running, control: Control, tmp_path: Path
) -> AsyncIterator[Program]:
    """A worker with the token of account 5001, not started yet."""
    account = await control.open_account(5_001)
    settings = {
        "REDIS_URL": redis_url,
        "NAMESPACE": namespace,
        "HUBSPOT_ACCESS_TOKEN": account.token,
        "HUBSPOT_API_URL": simulator.url,
        "WORKER_PORT": "0",
        "LOG_FORMAT": "json",
        "TIMING_SCALE": SCALE,
    }
    worker = Program("worker", ["-m", "service.cli", "worker"], folder=tmp_path, environ=settings)
    yield worker
    worker.close()


async def test_a_token_for_another_account(redis: Redis, namespace: str, worker: Program) -> None:
    """A token for another account than the notifications name is told once, and names both."""
    ledger = Ledger(redis, namespace, Timing())
    await ledger.mark([Mark(5_001, "1", ()), Mark(777, "1", ())])
    await worker.start()

    async def is_told() -> bool:
        return bool(told(worker))

    await until(is_told, timeout_s=30)
    await ledger.mark([Mark(777, "2", ())])
    await asyncio.sleep(0.6)  # two more looks, which must say nothing

    (line,) = told(worker)
    assert line.level == "warning"
    assert line.portal_id == 777
    assert line.reason == "unknown: the token belongs to account 5001, not to 777"
    assert await command(redis, "ZCARD", f"{namespace}:ledger:777:due") == 2
    assert await ledger.strangers() == {777}
