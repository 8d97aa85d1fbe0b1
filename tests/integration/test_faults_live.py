"""Rare things that HubSpot does, and what must not become of the live job then."""

import asyncio
import time

import pytest
from msgspec.structs import replace

from jobs.ledger.hints import Hint
from jobs.live.failing import RECORD_ATTEMPTS
from jobs.live.sweep import connect_static
from tests.simulator.control import Control
from tests.simulator.switchboard import Fault
from tests.support.desk import QUICK, Desk
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

TITLE = {"hs_call_title": "Discovery Call"}


def now_ms() -> int:
    """Return the stand-in's clock, which is this machine's."""
    return time.time_ns() // 1_000_000


def missing(call_id: int, portal_id: int) -> Fault:
    """Return a fault by which HubSpot names the call as missing, live and archived."""
    error = (
        '{"status": "error", "category": "OBJECT_NOT_FOUND", "message": "m",'
        f' "context": {{"ids": ["{call_id}"]}}}}'
    )
    return Fault(
        effect="status",
        status=200,
        body=f'{{"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [{error}]}}',
        operation="calls.batch_read",
        portal_id=portal_id,
    )


async def test_privacy_deletion_publishes_no_call(desk: Desk, control: Control) -> None:
    """A call that HubSpot still shows archived after a privacy deletion is deleted without data."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await control.archive(call_id, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("privacyDeletion", now_ms()))
    event = await desk.last()
    assert event.type == "callstream.call.deleted"
    assert event.data.call is None
    await desk.fetch_marked(call_id, Hint(origin="reconciliation"))
    assert await desk.last() == event
    await control.restore(call_id, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("restore", now_ms()))
    assert await desk.types() == ["created", "deleted"]
    assert await desk.waits_ms(call_id) is not None


async def test_erasure_of_a_gone_call_is_remembered(desk: Desk, control: Control) -> None:
    """A call that was gone before its privacy deletion was told is not published archived."""
    desk.set_timing(replace(QUICK, gone_apart_ms=1))
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await control.archive(call_id, portal_id=desk.portal_id)
    erased = Hint("privacyDeletion", now_ms())
    await control.fault(missing(call_id, desk.portal_id))
    for hint in (Hint("deletion", now_ms()), erased):
        for _ in range(2):
            await desk.fetch_marked(call_id, hint)
            await asyncio.sleep(0.002)
    await control.clear_faults()
    await desk.fetch_marked(call_id)
    assert await desk.types() == ["created", "deleted"]


async def test_unknown_absences_are_no_alarm(desk: Desk, control: Control) -> None:
    """Calls that were never published do not count among those that vanish from an account."""
    desk.set_timing(replace(QUICK, gone_apart_ms=1, gone_held_ms=60_000))
    for _ in range(2):
        for number in range(60):
            await desk.mark(900_000 + number, Hint(origin="reconciliation"))
        await desk.fetch()
        await asyncio.sleep(0.002)
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    assert await desk.types() == ["created"]


async def test_nameless_record_is_set_aside(desk: Desk, control: Control) -> None:
    """A record that HubSpot answers without a usable id holds up no other call."""
    desk.set_timing(replace(QUICK, record_patience_ms=1))
    good = await control.create(TITLE, portal_id=desk.portal_id)
    bad = await control.create(TITLE, portal_id=desk.portal_id)
    nameless = '{"id": "x", "properties": {}}'
    for operation, body in (
        ("calls.batch_read", f'{{"status": "COMPLETE", "results": [{nameless}]}}'),
        ("calls.read", nameless),
        ("calls.get", nameless),
    ):
        await control.fault(
            Fault(
                effect="status",
                status=200,
                body=body,
                operation=operation,
                portal_id=desk.portal_id,
                object_id=bad,
            )
        )
    await desk.mark(good)
    for _ in range(RECORD_ATTEMPTS):
        await desk.fetch_marked(bad)
    assert {event.subject for event in await desk.events()} == {str(good)}
    (letter,) = await desk.dead()
    assert letter[b"call_id"] == str(bad).encode()


async def test_forgotten_account_is_connected_again(desk: Desk, control: Control) -> None:
    """The settings' account is read again after Redis has lost its data under a running worker."""
    desk.set_timing(replace(QUICK, strangers_every_ms=5))
    watching = asyncio.create_task(connect_static(desk.context))

    async def is_open() -> bool:
        return (await desk.context.ledger.door(desk.portal_id)).open

    for _ in range(2):  # its first connection, and one more
        await desk.redis.flushall()
        await until(is_open)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await desk.fetch_marked(await control.create(TITLE, portal_id=desk.portal_id))
    assert await desk.types() == ["created"]


async def test_first_list_needs_no_round(desk: Desk, control: Control) -> None:
    """An account's first calls are not read again for the list that they were first read with."""
    await desk.fetch_marked(await control.create(TITLE, portal_id=desk.portal_id))
    await desk.fetch()
    assert await desk.redis.zcard("tenant-1:callstream:collections") == 0
    assert not (await desk.context.projection(desk.portal_id)).fresh


async def test_first_list_over_known_calls_needs_a_round(desk: Desk, control: Control) -> None:
    """Where the ledger's Redis lost the list, known calls may have been read with another one."""
    await desk.fetch_marked(await control.create(TITLE, portal_id=desk.portal_id))
    await desk.redis.delete(f"tenant-1:projection:{desk.portal_id}")
    assert (await desk.context.projection(desk.portal_id)).fresh
    assert await desk.redis.zcard("tenant-1:callstream:collections") == 1


async def test_refused_check_of_the_token_holds_nothing_up(desk: Desk, control: Control) -> None:
    """If HubSpot refuses to say whose the token is, only the verdict "gone" waits for it."""
    desk.set_timing(replace(QUICK, gone_apart_ms=1, gone_held_ms=1))
    silent = Hint(origin="reconciliation")
    lost = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(lost)
    await control.purge(lost, portal_id=desk.portal_id)
    await control.fault(
        Fault(effect="status", status=400, operation="account.*", portal_id=desk.portal_id)
    )
    for _ in range(2):
        await desk.fetch_marked(lost, silent)
        await asyncio.sleep(0.005)
    other = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.mark(other)
    await desk.fetch_marked(lost, silent)
    assert [event.subject for event in await desk.events()] == [str(lost), str(other)]
    assert await desk.waits_ms(lost) is not None


async def test_rounds_that_find_a_call_missing_are_consecutive(
    desk: Desk, control: Control
) -> None:
    """A call that was found again, though by a lagging read, is not gone with the next miss."""
    desk.set_timing(replace(QUICK, gone_apart_ms=1))
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await asyncio.sleep(0.005)
    await control.update(call_id, {"hs_call_title": "Second"}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    gone = Hint("deletion", now_ms())
    await control.fault(missing(call_id, desk.portal_id))
    await desk.fetch_marked(call_id, gone)
    await control.clear_faults()
    await control.fault(Fault(effect="stale", operation="calls.*", portal_id=desk.portal_id))
    await asyncio.sleep(0.002)
    await desk.fetch_marked(call_id, Hint(origin="reconciliation"))
    await control.clear_faults()
    await control.fault(missing(call_id, desk.portal_id))
    await asyncio.sleep(0.002)
    await desk.fetch_marked(call_id, Hint(origin="reconciliation"))
    assert await desk.types() == ["created"]
