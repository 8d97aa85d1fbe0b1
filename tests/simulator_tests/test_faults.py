"""The switchboard: what goes wrong on request, and that it is counted."""

import asyncio
import json
import random

import aiohttp
import pytest

from tests.simulator.gate import draw_latency_ms
from tests.simulator.knobs import Knobs
from tests.simulator.model.account import Account
from tests.simulator.simulator import Simulator
from tests.simulator.switchboard import Effect, Fault
from tests.simulator_tests.api import Api
from tests.simulator_tests.conftest import START

CALLS = "/crm/v3/objects/calls"


@pytest.fixture
def account(simulator: Simulator) -> Account:
    """Return the first account."""
    return simulator.world.accounts[simulator.settings.portal_id]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "VALIDATION_ERROR"),
        (401, "EXPIRED_AUTHENTICATION"),
        (403, "requiredGranularScopes"),
        (423, "RESOURCE_LOCKED"),
        (429, "TEN_SECONDLY_ROLLING"),
        (477, "MIGRATION_IN_PROGRESS"),
        (500, "internal error"),
        (502, "<html>"),
        (503, "unavailable"),
        (524, "<html>"),
    ],
)
async def test_any_status_can_be_answered(
    api: Api, simulator: Simulator, status: int, says: str
) -> None:
    """With a body as HubSpot or its edge would send it, with or without `Retry-After`."""
    simulator.switchboard.set(Fault(effect="status", status=status, retry_after="7", times=1))
    simulator.switchboard.set(Fault(effect="status", status=status))
    first, second = await api.get(CALLS), await api.get(CALLS)
    assert first.status == second.status == status
    assert says.encode() in first.raw
    assert (first.headers.get("Retry-After"), second.headers.get("Retry-After")) == ("7", None)


async def test_a_body_can_be_given(api: Api, simulator: Simulator) -> None:
    """A fault may say exactly what is answered."""
    simulator.switchboard.set(Fault(effect="status", status=500, body="teapot"))
    assert (await api.get(CALLS)).raw == b"teapot"


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        ("cut", aiohttp.ServerDisconnectedError),
        ("cut_after", aiohttp.ServerDisconnectedError),
        ("truncate", aiohttp.ClientPayloadError),
    ],
)
async def test_connections_break(
    api: Api, simulator: Simulator, account: Account, effect: Effect, error: type[Exception]
) -> None:
    """`cut` comes before the work, `cut_after` after it, `truncate` in the middle of the answer."""
    simulator.switchboard.set(Fault(effect=effect))
    with pytest.raises(error):
        await api.post(CALLS, {"properties": {"hs_timestamp": "2026-01-15"}})
    assert len(account.calls) == (0 if effect == "cut" else 1)


async def test_answers_can_be_corrupt(api: Api, simulator: Simulator) -> None:
    """A corrupt answer is whole, and no JSON."""
    simulator.switchboard.set(Fault(effect="corrupt"))
    answer = await api.get(CALLS)
    assert answer.status == 200
    with pytest.raises(ValueError, match=r".*"):
        json.loads(answer.raw)


async def test_answers_can_be_late_or_never_come(api: Api, simulator: Simulator) -> None:
    """`delay` answers later, `hang` not at all."""
    fault = simulator.switchboard.set(Fault(effect="delay", delay_ms=60))
    began = asyncio.get_running_loop().time()
    assert (await api.get(CALLS)).status == 200
    assert asyncio.get_running_loop().time() - began >= 0.06
    simulator.switchboard.clear(fault)
    simulator.switchboard.set(Fault(effect="hang"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await api.get(CALLS)


async def test_answers_can_be_stale(api: Api, simulator: Simulator, account: Account) -> None:
    """A stale answer shows a record as it was before its last changes."""
    call = account.create({"hs_call_title": "first"})
    account.update(call.id, {"hs_call_title": "second"})
    account.update(call.id, {"hs_call_title": "third"})
    path, body = f"{CALLS}/batch/read", {"inputs": [{"id": str(call.id)}]}
    wanted = body | {"properties": ["hs_call_title"]}
    for steps, title in ((1, "second"), (2, "first"), (9, "first")):
        fault = simulator.switchboard.set(Fault(effect="stale", steps=steps, object_id=call.id))
        answer = await api.post(path, wanted)
        assert answer.results[0]["properties"]["hs_call_title"] == title
        simulator.switchboard.clear(fault)
    account.archive(call.id)
    simulator.switchboard.set(Fault(effect="stale"))
    assert (await api.post(path, body)).ids == [str(call.id)]


async def test_faults_choose_their_requests(
    api: Api, simulator: Simulator, account: Account
) -> None:
    """By operation, account, record and time; what they struck can be read back."""
    first, second = account.create({}), account.create({})
    simulator.open_account(777)
    other = simulator.world.private_token(777)
    board = simulator.switchboard
    board.set(Fault(effect="status", status=501, operation="calls.search"))
    board.set(Fault(effect="status", status=502, portal_id=777))
    board.set(Fault(effect="status", status=503, object_id=first.id))
    board.set(Fault(effect="status", status=504, since_ms=START + 10, until_ms=START + 20))
    assert (await api.get(CALLS + "?limit=1")).status == 503
    assert (await api.post(f"{CALLS}/search", {})).status == 501
    assert (await api.get(CALLS, token=other)).status == 502
    assert (await api.get(f"{CALLS}/{first.id}")).status == 503
    assert (await api.get(f"{CALLS}/{second.id}")).status == 200
    both = {"inputs": [{"id": str(first.id)}, {"id": str(second.id)}]}
    assert (await api.post(f"{CALLS}/batch/read", both)).status == 503
    simulator.clock.move(10)
    assert (await api.get(f"{CALLS}/{second.id}")).status == 504
    simulator.clock.move(10)
    assert (await api.get(f"{CALLS}/{second.id}")).status == 200
    assert board.struck == {1: 1, 2: 1, 3: 3, 4: 1}
    assert board.strikes[0].operation == "calls.list"


async def test_a_share_of_requests_is_struck(api: Api, simulator: Simulator) -> None:
    """About the share that was asked for, and never more often than `times`."""
    simulator.switchboard.set(Fault(effect="status", status=500, share=0.3))
    statuses = [(await api.get(f"{CALLS}?limit=1")).status for _ in range(200)]
    assert 35 < statuses.count(500) < 90
    simulator.switchboard.clear()
    simulator.switchboard.set(Fault(effect="status", status=500, times=2))
    statuses = [(await api.get(f"{CALLS}?limit=1")).status for _ in range(5)]
    assert statuses == [500, 500, 200, 200, 200]


async def test_latency_can_be_turned_on(api: Api, simulator: Simulator) -> None:
    """Every answer takes as long as `latency_ms` says."""
    simulator.turn(latency_ms=50)
    began = asyncio.get_running_loop().time()
    await api.get(CALLS)
    assert asyncio.get_running_loop().time() - began >= 0.05


def test_latency_can_have_a_long_tail() -> None:
    """With `latency_p99_ms`, half of the answers take `latency_ms`, and one in a hundred longer."""
    knobs, rng = Knobs(latency_ms=250, latency_p99_ms=1_500), random.Random(1)
    drawn = sorted(draw_latency_ms(knobs, rng) for _ in range(20_000))
    assert 240 < drawn[10_000] < 260
    assert 1_400 < drawn[19_800] < 1_600
