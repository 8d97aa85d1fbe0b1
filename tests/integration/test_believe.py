"""`callstream accounts believe`: an operator's word ends the alarm of vanished calls."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs.ledger.hints import Hint
from jobs.live.vanishing import Vanishing
from tests.simulator.control import Control
from tests.support.commands import CALLSTREAM, run_command
from tests.support.desk import QUICK, Desk

pytestmark = pytest.mark.one_redis

SILENT = Hint(origin="reconciliation")

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def believe(tmp_path: Path, redis_url: str, namespace: str) -> Run:
    """Runs `callstream accounts believe` with arguments."""

    def run(*arguments: str) -> CompletedProcess[str]:
        own = {"REDIS_URL": redis_url, "NAMESPACE": namespace}
        return run_command([*CALLSTREAM, "accounts", "believe", *arguments], tmp_path, **own)

    return run


async def read_all(desk: Desk, calls: list[int]) -> None:
    """Mark all calls and answer doorbells until each was read."""
    for call_id in calls:
        await desk.mark(call_id, SILENT)
    await desk.fetch()
    await asyncio.sleep(0.005)


async def test_what_is_believed_is_published(desk: Desk, control: Control, believe: Run) -> None:
    """After the alarm, and an operator's word, the calls that are really gone are deleted."""
    alarmed = replace(QUICK, gone_apart_ms=1, gone_held_ms=60_000)
    desk.set_timing(replace(alarmed, portal_backoff_first_ms=300_000))
    calls = [
        await control.create({"hs_call_title": "x"}, portal_id=desk.portal_id) for _ in range(60)
    ]
    await read_all(desk, calls)
    for call_id in calls:
        await control.purge(call_id, portal_id=desk.portal_id)
    with capture_logs() as logs:
        await read_all(desk, calls)
        await read_all(desk, calls)
    assert [entry for entry in logs if "accounts believe" in entry["event"]]
    door = await desk.context.ledger.door(desk.portal_id)
    assert door.why == "wrong_account"
    assert door.asleep_until > door.now

    result = believe(str(desk.portal_id), "--for", "1h", "--json")

    assert result.returncode == 0, result.stderr
    assert msgspec.json.decode(result.stdout)["woken"] is True
    desk.set_timing(replace(QUICK, gone_apart_ms=1, gone_held_ms=1))
    for _ in range(3):
        await read_all(desk, calls)
    kinds = await desk.types()
    assert kinds.count("deleted") == 60
    asked = (await control.requests()).accounts[desk.portal_id].by_operation
    assert asked["account.details"] >= 1


async def test_belief_ends(redis: Redis, namespace: str) -> None:
    """What is believed is so for one account, and for as long as was said."""
    vanishing = Vanishing(redis, namespace, QUICK)
    await vanishing.believe(1, 30)
    assert [await vanishing.is_believed(portal_id) for portal_id in (1, 2)] == [True, False]
    await asyncio.sleep(0.05)
    assert not await vanishing.is_believed(1)


async def test_an_account_that_nobody_knows(redis: Redis, believe: Run) -> None:
    """An account that never was connected, or a length of time that is none, is refused."""
    refused = believe("777")
    assert refused.returncode == 1
    assert "never connected" in refused.stderr
    assert believe("1", "--for", "soon").returncode == 2
    assert await redis.keys() == []
