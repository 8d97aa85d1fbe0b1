"""The live job, step by step: what reads mean, and what becomes of the marks."""

import asyncio
import dataclasses
import time

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs.events.normalise import DEFAULT_DISPOSITIONS
from jobs.hubspot.dispositions import Dispositions
from jobs.hubspot.listings import RETRY_S
from jobs.ledger.hints import Hint
from jobs.live.failing import RECORD_ATTEMPTS
from tests.simulator.control import Control
from tests.simulator.switchboard import Effect, Fault
from tests.support.desk import QUICK, Desk
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

TITLE = {"hs_call_title": "Discovery Call"}


def now_ms() -> int:
    """Return the stand-in's clock, which is this machine's."""
    return time.time_ns() // 1_000_000


async def fetch_until_idle(desk: Desk, call_id: int) -> None:
    """Answer doorbells until nothing is left to do for the call."""
    while await desk.waits_ms(call_id) is not None:
        await desk.fetch()


async def test_created_call_is_published_once(desk: Desk, control: Control) -> None:
    """A call created after the connection is `created`; read again unchanged, nothing follows."""
    call_id = await control.create(TITLE, {"contacts": [101]}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("creation", now_ms(), source="CRM_UI"))
    await desk.fetch_marked(call_id)
    (event,) = await desk.events()
    assert event.type == "callstream.call.created"
    assert event.data.call is not None
    assert event.data.call.title == "Discovery Call"
    assert event.data.call.associations == {"contacts": ("101",)}
    assert [change.kind for change in event.data.changes] == ["creation"]
    assert event.data.changes[0].source == "CRM_UI"


async def test_life_of_a_call(desk: Desk, control: Control) -> None:
    """Update, archive, change of the bin and restore each give their own type."""
    portal_id = desk.portal_id
    call_id = await control.create(TITLE, portal_id=portal_id)
    await desk.fetch_marked(call_id)
    await control.update(call_id, {"hs_call_title": "Second"}, portal_id=portal_id)
    await desk.fetch_marked(call_id)
    await control.associate(call_id, "companies", 7, portal_id=portal_id)
    await desk.fetch_marked(call_id)
    await control.archive(call_id, portal_id=portal_id)
    await desk.fetch_marked(call_id, Hint("deletion", now_ms()))
    await control.restore(call_id, portal_id=portal_id)
    await desk.fetch_marked(call_id, Hint("restore", now_ms()))
    assert await desk.types() == ["created", "updated", "updated", "deleted", "restored"]
    sequences = [event.sequence for event in await desk.events()]
    assert sequences == sorted(set(sequences))


async def test_archived_call_never_seen(desk: Desk, control: Control) -> None:
    """Without a deletion among the hints an archived call that was never seen is a snapshot."""
    for hint, expected in ((Hint("propertyChange", 1), "snapshot"), (Hint("deletion"), "deleted")):
        call_id = await control.create(TITLE, portal_id=desk.portal_id)
        await control.archive(call_id, portal_id=desk.portal_id)
        await desk.fetch_marked(call_id, hint)
        assert (await desk.types())[-1] == expected


async def test_hundred_calls_are_one_read(desk: Desk, control: Control) -> None:
    """A hundred marked calls cost one object read and one association read per type."""
    before = (await control.requests()).accounts.get(desk.portal_id)
    assert before is None
    for number in range(100):
        call_id = await control.create({"hs_call_title": f"{number}"}, portal_id=desk.portal_id)
        await desk.mark(call_id)
    await desk.fetch()
    counts = (await control.requests()).accounts[desk.portal_id]
    assert len(await desk.events()) == 100
    assert counts.object_reads == 1
    assert counts.association_reads == 2


async def test_read_behind_keeps_the_mark(desk: Desk, control: Control) -> None:
    """What was read is published at once; a hint that it does not show only keeps the mark."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("propertyChange", now_ms() + 60_000, "hs_call_body"))
    assert await desk.types() == ["created"]
    wait = await desk.waits_ms(call_id)
    assert wait is not None
    assert 0 < wait <= 1_000


async def test_named_association_is_awaited(desk: Desk, control: Control) -> None:
    """An added association that the read lacks keeps the mark until it is there."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    added = Hint("associationChange", now_ms(), target="0-1:101")
    await desk.fetch_marked(call_id, added)
    assert await desk.waits_ms(call_id) is not None
    await control.associate(call_id, "contacts", 101, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    assert await desk.waits_ms(call_id) is None
    event = await desk.last()
    assert "associationChange" in {change.kind for change in event.data.changes}


async def test_unmet_hint_is_dropped_after_its_patience(desk: Desk, control: Control) -> None:
    """A hint that no read ever shows is given up, and the call settled."""
    desk.set_timing(replace(QUICK, hint_patience_ms=1))
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("propertyChange", now_ms() + 60_000, "hs_call_body"))
    while await desk.waits_ms(call_id) is not None:
        await asyncio.sleep(0.002)
        await desk.fetch_marked(call_id)
    assert await desk.types() == ["created"]


async def test_purged_call_is_gone_after_two_rounds(desk: Desk, control: Control) -> None:
    """With a deletion among the hints two rounds apart find a call gone: deleted, call null."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await control.purge(call_id, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("deletion", now_ms()))
    assert await desk.types() == ["created"]
    wait = await desk.waits_ms(call_id)
    assert wait is not None
    assert 9_000 < wait <= 10_000
    desk.set_timing(replace(QUICK, gone_apart_ms=1))
    await desk.fetch_marked(call_id, Hint("deletion", now_ms()))
    event = await desk.last()
    assert event.type == "callstream.call.deleted"
    assert event.data.call is None
    assert await desk.waits_ms(call_id) is None


async def test_unannounced_absence_is_held_and_confirmed(desk: Desk, control: Control) -> None:
    """Without a deletion the verdict is held for ten minutes and the token is checked."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await control.purge(call_id, portal_id=desk.portal_id)
    desk.set_timing(replace(QUICK, gone_apart_ms=1))
    silent = Hint(origin="reconciliation")
    await desk.fetch_marked(call_id, silent)
    await asyncio.sleep(0.002)
    await desk.fetch_marked(call_id, silent)
    wait = await desk.waits_ms(call_id)
    assert wait is not None
    assert 590_000 < wait <= 600_000
    desk.set_timing(replace(QUICK, gone_apart_ms=1, gone_held_ms=1))
    await desk.fetch_marked(call_id, silent)
    assert await desk.types() == ["created", "deleted"]
    assert (await control.requests()).accounts[desk.portal_id].by_operation["account.details"] == 1


@pytest.mark.parametrize("kind", ["creation", "propertyChange", "deletion", ""])
async def test_call_that_never_was_leaves_no_event(desk: Desk, redis: Redis, kind: str) -> None:
    """HubSpot's test button names a call that does not exist: no event, no alarm, no mark for ever.

    Whatever the button says of it, nothing is counted as vanished, and nothing set aside.
    """
    desk.set_timing(replace(QUICK, gone_apart_ms=1, hint_patience_ms=1, gone_held_ms=1))
    with capture_logs() as logs:
        await desk.mark(123, Hint(kind, now_ms(), source="CRM"))
        await desk.fetch()
        while await desk.waits_ms(123) is not None:
            await asyncio.sleep(0.002)
            await desk.fetch_marked(123, Hint(origin="reconciliation"))
    assert await desk.events() == []
    assert await desk.dead() == []
    assert [entry for entry in logs if entry["log_level"] in {"warning", "error"}] == []
    assert await redis.exists(f"tenant-1:vanished:{desk.portal_id}") == 0


async def test_missing_call_with_a_creation_is_late(desk: Desk) -> None:
    """A call whose creation was told and that is missing is awaited, not gone."""
    await desk.fetch_marked(123, Hint("creation", now_ms()))
    wait = await desk.waits_ms(123)
    assert wait is not None
    assert wait <= 1_000


async def test_merged_call_is_deleted_with_its_survivor(desk: Desk, control: Control) -> None:
    """A call that answers under another id is deleted, naming the call it was merged into."""
    await control.turn(merged_ids="survivor")
    survivor = await control.create(TITLE, portal_id=desk.portal_id)
    loser = await control.create(TITLE, portal_id=desk.portal_id)
    for call_id in (survivor, loser):
        await desk.fetch_marked(call_id)
    await control.merge(survivor, loser, portal_id=desk.portal_id)
    await desk.fetch_marked(loser, Hint("merge", now_ms(), target=str(survivor)))
    event = await desk.last()
    await control.turn(merged_ids="absent")
    assert event.type == "callstream.call.deleted"
    assert event.subject == str(loser)
    assert event.data.merged_into == str(survivor)
    assert event.data.call is None


async def test_merged_call_that_is_absent_names_its_survivor(desk: Desk, control: Control) -> None:
    """Where HubSpot no longer knows a merged id, the merge's notification tells the survivor.

    That the id is still missing later, when nothing is said of a merge, is no other state.
    """
    desk.set_timing(replace(QUICK, gone_apart_ms=1, gone_held_ms=1))
    survivor = await control.create(TITLE, portal_id=desk.portal_id)
    loser = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(loser)
    await control.merge(survivor, loser, portal_id=desk.portal_id)
    await desk.mark(loser, Hint("merge", now_ms(), target=str(survivor)))
    await fetch_until_idle(desk, loser)
    event = await desk.last()
    assert event.type == "callstream.call.deleted"
    assert event.data.merged_into == str(survivor)
    await desk.mark(loser, Hint("deletion", now_ms()))
    await fetch_until_idle(desk, loser)
    assert await desk.last() == event


async def test_late_change_of_a_merged_call_costs_not_its_survivor(
    desk: Desk, control: Control
) -> None:
    """What a merge said outlives its hint, while a change that comes late holds the verdict up."""
    desk.set_timing(replace(QUICK, gone_apart_ms=1, hint_patience_ms=100, behind_rungs_ms=(40,)))
    survivor = await control.create(TITLE, portal_id=desk.portal_id)
    loser = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(loser)
    await control.merge(survivor, loser, portal_id=desk.portal_id)
    await desk.fetch_marked(loser, Hint("merge", now_ms(), target=str(survivor)))
    await asyncio.sleep(0.05)
    await desk.fetch_marked(loser, Hint("propertyChange", 1, "hs_call_title"))
    await fetch_until_idle(desk, loser)
    event = await desk.last()
    assert event.type == "callstream.call.deleted"
    assert event.data.merged_into == str(survivor)


@pytest.mark.parametrize("effect", ["status", "cut", "truncate", "corrupt"])
async def test_failing_api_puts_the_portal_to_sleep(
    desk: Desk, control: Control, effect: Effect
) -> None:
    """A failure of the portal keeps every mark, writes no dead letter and lets the portal sleep."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await control.fault(
        Fault(effect=effect, status=503, operation="calls.*", portal_id=desk.portal_id)
    )
    with capture_logs() as logs:
        await desk.fetch_marked(call_id)
    assert "account sleeps" in {entry["event"] for entry in logs}
    assert await desk.waits_ms(call_id) is not None
    assert (await desk.context.ledger.claim(desk.portal_id)).token == ""
    assert await desk.dead() == []
    await control.clear_faults()
    await desk.context.ledger.wake(desk.portal_id)
    await desk.fetch()
    assert await desk.types() == ["created"]


async def test_retry_after_is_obeyed(desk: Desk, control: Control) -> None:
    """A 429 lets the portal wait for as long as it says, and is no failure of the portal."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await control.fault(
        Fault(effect="status", status=429, retry_after="7", portal_id=desk.portal_id, times=1)
    )
    await desk.fetch_marked(call_id)
    wake_at = await desk.redis.zscore("tenant-1:ledger:portals", str(desk.portal_id))
    assert wake_at is not None
    assert 5_000 < wake_at - now_ms() <= 7_000


async def test_refused_call_is_found_by_halving(desk: Desk, control: Control) -> None:
    """One call that HubSpot refuses does not hold up the others of its batch."""
    desk.set_timing(replace(QUICK, record_patience_ms=1))
    good = [await control.create(TITLE, portal_id=desk.portal_id) for _ in range(4)]
    bad = await control.create(TITLE, portal_id=desk.portal_id)
    await control.fault(
        Fault(
            effect="status",
            status=400,
            operation="calls.*",
            portal_id=desk.portal_id,
            object_id=bad,
        )
    )
    for call_id in (*good, bad):
        await desk.mark(call_id)
    await desk.fetch()
    assert {event.subject for event in await desk.events()} == {str(call) for call in good}
    for _ in range(RECORD_ATTEMPTS - 1):
        await desk.fetch_marked(bad)
    (letter,) = await desk.dead()
    assert letter[b"call_id"] == str(bad).encode()
    assert letter[b"reason"] == b"refused"
    assert await desk.waits_ms(bad) is None


async def test_stale_read_never_follows_a_newer_state(desk: Desk, control: Control) -> None:
    """A replica that lags behind the published state is read again, and nothing is published."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await asyncio.sleep(0.005)
    await control.update(call_id, {"hs_call_title": "Second"}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await control.fault(Fault(effect="stale", operation="calls.*", portal_id=desk.portal_id))
    await desk.fetch_marked(call_id)
    assert len(await desk.events()) == 1
    wait = await desk.waits_ms(call_id)
    assert wait is not None
    assert 0 < wait <= 1_000


async def test_spent_budget_hands_the_calls_back(desk: Desk, control: Control) -> None:
    """Without budget nothing is asked of HubSpot and the portal sleeps until there is some."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    while not await desk.context.budget.take(desk.portal_id, 100_000):
        pass
    await desk.fetch_marked(call_id)
    assert await desk.waits_ms(call_id) is not None
    assert desk.portal_id not in (await control.requests()).accounts


async def test_many_unannounced_absences_stop_the_portal(desk: Desk, control: Control) -> None:
    """When most of an account's calls vanish unannounced nothing is published: alarm and sleep."""
    desk.set_timing(replace(QUICK, gone_apart_ms=1, gone_held_ms=60_000))
    calls = [await control.create(TITLE, portal_id=desk.portal_id) for _ in range(60)]
    for call_id in calls:
        await desk.mark(call_id)
    await desk.fetch()
    for call_id in calls:
        await control.purge(call_id, portal_id=desk.portal_id)
    for _ in range(2):
        for call_id in calls:
            await desk.mark(call_id, Hint(origin="reconciliation"))
        await desk.fetch()
        await asyncio.sleep(0.002)
    assert set(await desk.types()) == {"created"}
    assert (await desk.context.ledger.claim(desk.portal_id)).token == ""


async def test_new_outcome_is_asked_for_soon(desk: Desk, control: Control) -> None:
    """An outcome that is not in the account's list hastens the next asking for that list."""
    now = [0.0]
    dispositions = Dispositions(desk.context.hubspot.dispositions, clock=lambda: now[0])
    desk.context = dataclasses.replace(desk.context, dispositions=dispositions)
    for outcome in (next(iter(DEFAULT_DISPOSITIONS)), "8f3c0d5e-added-later"):
        call_id = await control.create({"hs_call_disposition": outcome}, portal_id=desk.portal_id)
        await desk.fetch_marked(call_id)
        now[0] += RETRY_S + 1
    counts = (await control.requests()).accounts[desk.portal_id]
    assert counts.by_operation["calls.dispositions"] == 2


async def test_job_told_to_stop_gives_its_calls_back(desk: Desk, control: Control) -> None:
    """A cancelled job's calls are due again at once, without waiting for the lease."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    fault = await control.fault(
        Fault(effect="hang", operation="calls.batch_read", portal_id=desk.portal_id)
    )
    await desk.mark(call_id)
    job = asyncio.create_task(desk.fetch())

    async def is_hanging() -> bool:
        return (await control.faults()).struck[fault] > 0

    await until(is_hanging)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    await control.clear_faults()
    await desk.fetch()
    assert await desk.types() == ["created"]
