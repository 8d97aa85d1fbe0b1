"""The live job and what it cannot deal with: one call steps back, the others go on."""

import asyncio
import dataclasses
from typing import cast

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs.hubspot.client import MOST_PAGES
from jobs.hubspot.dispositions import Dispositions
from jobs.ledger.hints import Hint
from jobs.live.failing import RECORD_ATTEMPTS
from jobs.redis import command
from tests.simulator.control import Control
from tests.support.desk import QUICK, Desk

pytestmark = pytest.mark.one_redis

TITLE = {"hs_call_title": "Discovery Call"}
SHARED = "tenant-1:records:{0}:small"


async def spoil_record(redis: Redis, portal_id: int, call_id: int) -> None:
    """Damage what is known of a call, as a bug or a broken dump might."""
    async for key in redis.scan_iter(match="tenant-1:records:*"):
        for field in (f"{portal_id}:{call_id}", str(call_id)):
            if await command(redis, "HEXISTS", cast("bytes", key), field):
                await command(redis, "HSET", cast("bytes", key), field, "short")
                return
    pytest.fail("the call has no record")


async def test_an_unforeseen_error_costs_one_call(
    desk: Desk, control: Control, redis: Redis
) -> None:
    """A call over which the publish script stumbles is set aside; all others are published."""
    desk.set_timing(replace(QUICK, record_patience_ms=20, record_retry_ms=1))
    calls = [await control.create(TITLE, portal_id=desk.portal_id) for _ in range(20)]
    for call_id in calls:
        await desk.mark(call_id)
    await desk.fetch()
    bad = calls[7]
    await spoil_record(redis, desk.portal_id, bad)
    for call_id in calls:
        await control.update(call_id, {"hs_call_title": "Second"}, portal_id=desk.portal_id)
        await desk.mark(call_id)
    with capture_logs() as logs:
        for _ in range(40):
            await desk.fetch()
            await asyncio.sleep(0.002)
    updated = {event.subject for event in await desk.events() if event.type.endswith("updated")}
    assert updated == {str(call) for call in calls} - {str(bad)}
    (letter,) = await desk.dead()
    assert letter[b"call_id"] == str(bad).encode()
    assert letter[b"reason"] == b"unforeseen-error"
    assert letter[b"error"].startswith(b"ResponseError in ")
    assert int(letter[b"attempts"]) >= RECORD_ATTEMPTS
    assert await desk.waits_ms(bad) is None
    assert [entry["event"] for entry in logs].count("unforeseen error") == 1
    assert "Second" not in str(logs)


async def test_what_is_not_the_calls_fault_sets_none_aside(desk: Desk, control: Control) -> None:
    """An unforeseen error before or beside the calls puts the account to sleep, marks kept."""
    desk.set_timing(replace(QUICK, record_patience_ms=1, portal_backoff_first_ms=1))
    call_id = await control.create({"hs_call_disposition": "a-new-one"}, portal_id=desk.portal_id)

    async def stumbles(_portal_id: int) -> dict[str, str]:
        raise KeyError(call_id)

    context = desk.context
    desk.context = dataclasses.replace(context, dispositions=Dispositions(stumbles))
    await desk.mark(call_id)
    for _ in range(2 * RECORD_ATTEMPTS):
        await desk.fetch()
        await asyncio.sleep(0.01)
        await desk.context.ledger.wake(desk.portal_id)
    assert await desk.dead() == []
    assert await desk.waits_ms(call_id) is not None
    await desk.context.ledger.sleep(desk.portal_id, 60_000, "unforeseen")
    assert (await desk.context.ledger.door(desk.portal_id)).why == "unforeseen"
    desk.context = dataclasses.replace(desk.context, dispositions=context.dispositions)
    await desk.context.ledger.wake(desk.portal_id)
    await desk.fetch()
    assert await desk.types() == ["created"]


async def test_a_memo_that_nobody_understands_is_no_obstacle(
    desk: Desk, control: Control, redis: Redis
) -> None:
    """A call whose memo or hints are damaged is read all the same."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.mark(call_id)
    ledger = f"tenant-1:ledger:{desk.portal_id}"
    await command(redis, "HSET", f"{ledger}:memo", str(call_id), "{damaged")
    await command(redis, "HSET", f"{ledger}:hints", str(call_id), "0|{damaged\n")
    await desk.fetch()
    assert [event.subject for event in await desk.events()] == [str(call_id)]
    assert await desk.waits_ms(call_id) is None


async def test_more_associations_than_a_job_reads(
    desk: Desk, control: Control, redis: Redis
) -> None:
    """A call with very many associations is whole after a few jobs; others do not wait for it."""
    numbers = list(range(1, 5 * MOST_PAGES))
    links = {"contacts": numbers, "companies": numbers[: 3 * MOST_PAGES]}
    many = await control.create(TITLE, links, portal_id=desk.portal_id)
    few = await control.create(TITLE, {"contacts": [7]}, portal_id=desk.portal_id)
    await control.turn(association_page=2, rate_limit=1_000)
    try:
        for call_id in (many, few):
            await desk.mark(call_id, Hint("creation", 1))
        await desk.fetch()
        assert [event.subject for event in await desk.events()] == [str(few)]
        held = f"tenant-1:paging:{desk.portal_id}:{many}"
        assert await command(redis, "EXISTS", held) == 1
        jobs = 1
        while await desk.waits_ms(many) is not None:
            await desk.fetch()
            jobs += 1
    finally:
        await control.turn(association_page=500, rate_limit=190)
    assert jobs == 3
    event = await desk.last()
    assert event.data.call is not None
    assert event.data.call.associations == {
        kind: tuple(map(str, ids)) for kind, ids in links.items()
    }
    assert [change.kind for change in event.data.changes] == ["creation"]
    assert await command(redis, "EXISTS", held) == 0


async def test_half_read_associations_follow_no_newer_state(desk: Desk, control: Control) -> None:
    """What began to be read before somebody else published is read anew, not published after it."""
    numbers = list(range(1, 2 * MOST_PAGES + 5))
    call_id = await control.create(TITLE, {"contacts": numbers}, portal_id=desk.portal_id)
    await control.turn(association_page=2, rate_limit=1_000)
    try:
        await desk.fetch_marked(call_id)
        assert await desk.events() == []
        # Another reader, with all of it, comes in between.
        await control.turn(association_page=500)
        other = f"tenant-1:ledger:{desk.portal_id}:memo"
        memo = await command(desk.redis, "HGET", other, str(call_id))
        await command(desk.redis, "HDEL", other, str(call_id))
        await control.dissociate(call_id, "contacts", 1, portal_id=desk.portal_id)
        await desk.fetch()
        assert await desk.types() == ["created"]
        await desk.mark(call_id)
        await command(desk.redis, "HSET", other, str(call_id), cast("bytes", memo))
        await desk.fetch()
        assert await desk.types() == ["created"]
        assert await desk.waits_ms(call_id) is not None
        await asyncio.sleep(0.3)
        await desk.fetch()
    finally:
        await control.turn(association_page=500, rate_limit=190)
    assert await desk.types() == ["created"]
    assert await desk.waits_ms(call_id) is None
