"""Calls that were deleted for privacy: what HubSpot may still show of them is not published."""

import asyncio
import time

import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from jobs.ledger.hints import Hint
from jobs.stream.records import Record
from jobs.stream.stream import Candidate, Lagging, Published, Stream, Unchanged, Unknown
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.switchboard import Fault
from tests.support.candidates import archived, gone, live, publish, record_of, types
from tests.support.desk import QUICK, Desk

pytestmark = pytest.mark.one_redis

TITLE = {"hs_call_title": "Discovery Call"}
CALL = "512"
INSISTS_MS = 300
"""HubSpot must insist for so long here; what it said is forgotten after ten times that."""


def erased(ticket: int) -> Candidate:
    """Return the finding that the call was deleted for privacy."""
    return msgspec.structs.replace(gone(CALL, ticket), state="erased")


async def offer(stream: Stream, candidate: Candidate) -> object:
    """Return what becomes of a read that begins now."""
    [outcome] = await publish(
        stream, msgspec.structs.replace(candidate, ticket=await stream.ticket(0))
    )
    return outcome


@pytest.fixture
def stream(redis: Redis) -> Stream:
    """One partition, on which HubSpot need not insist for long."""
    return Stream(redis, "", Timing(revert_after_ms=INSISTS_MS), 1)


async def test_an_erasure_of_an_unknown_call_is_kept(redis: Redis, stream: Stream) -> None:
    """It is no event, and later reads of what a replica still shows are none either."""
    assert await offer(stream, erased(0)) == Unknown()
    record = await record_of(stream, CALL)
    assert (record.state, record.version) == ("erased", 0)
    assert await offer(stream, archived(CALL, 0)) == Unchanged()
    assert await offer(stream, gone(CALL, 0)) == Unchanged()
    assert await offer(stream, live(CALL, 0)) == Lagging(1)
    assert await types(redis, CALL) == []
    assert await stream.records.count(62515) == 1


async def test_a_known_call_does_not_come_back_by_its_time(redis: Redis, stream: Stream) -> None:
    """A live state of an erased call is an older one also when its `updatedAt` is not older."""
    await offer(stream, live(CALL, 0))
    assert isinstance(await offer(stream, erased(0)), Published)
    assert await offer(stream, live(CALL, 0)) == Lagging(1)
    later = live(CALL, 0, "Changed", updated_at_ms=2_000_000_000_000)
    assert await offer(stream, later) == Lagging(1)
    assert await types(redis, CALL) == ["created", "deleted"]


@pytest.mark.parametrize("known", [True, False])
async def test_a_live_call_that_hubspot_insists_on(
    redis: Redis,
    stream: Stream,
    known: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Three times over a minute the same live state: HubSpot has the call, so it is published."""
    if known:
        await offer(stream, live(CALL, 0))
    await offer(stream, erased(0))
    for times in (1, 2):
        assert await offer(stream, live(CALL, 0)) == Lagging(times)
    await asyncio.sleep(INSISTS_MS / 1000 + 0.01)
    assert isinstance(await offer(stream, live(CALL, 0)), Published)
    assert await types(redis, CALL) == (
        ["created", "deleted", "restored"] if known else ["created"]
    )


def missing(call_id: int, portal_id: int) -> Fault:
    """Return a fault by which HubSpot names the call as missing, live and archived."""
    error = (
        '{"status": "error", "category": "OBJECT_NOT_FOUND", "message": "m",'
        f' "context": {{"ids": ["{call_id}"]}}}}'
    )
    body = f'{{"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [{error}]}}'
    return Fault(
        effect="status",
        status=200,
        body=body,
        operation="calls.batch_read",
        portal_id=portal_id,
    )


def told() -> Hint:
    """Return what the journal says of a privacy deletion."""
    return Hint("privacyDeletion", time.time_ns() // 1_000_000, origin="journal")


async def record(desk: Desk, call_id: int) -> Record | None:
    """Return the call's record."""
    stream = desk.context.stream
    held = {call: one async for call, one in stream.records.walk(desk.portal_id)}
    return held.get(str(call_id))


async def test_a_lagging_read_after_an_erasure(desk: Desk, control: Control) -> None:
    """A call that nobody knew is erased; a replica that shows it afterwards publishes nothing."""
    desk.set_timing(replace(QUICK, gone_apart_ms=1))
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    fault = await control.fault(missing(call_id, desk.portal_id))
    for _ in range(3):
        await desk.fetch_marked(call_id, told())
        await asyncio.sleep(0.002)
    held = await record(desk, call_id)
    assert held is not None
    assert held.state == "erased"
    await control.clear_faults(fault)
    await desk.fetch_marked(call_id, Hint(origin="reconciliation"))
    assert await desk.events() == []
    assert await desk.waits_ms(call_id) is not None
    await control.archive(call_id, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint(origin="reconciliation"))
    assert await desk.events() == []


async def test_an_erased_call_that_is_still_shown_live(desk: Desk, control: Control) -> None:
    """While a privacy deletion is told and a read shows the call live, nothing is published."""
    desk.set_timing(replace(QUICK, behind_rungs_ms=(1,)))
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    for _ in range(2):
        await desk.fetch_marked(call_id, Hint("creation", 1), told())
        assert await desk.events() == []
        assert await desk.waits_ms(call_id) is not None
    desk.set_timing(replace(QUICK, hint_patience_ms=1))
    await desk.fetch_marked(call_id)
    assert await desk.types() == ["created"]
