"""Runs, their turns and their operators: one run a kind, one turn a run, and nothing lost."""

import asyncio
import dataclasses

import pytest
from msgspec.structs import replace

from jobs.backfill.collect import collect_calls
from jobs.backfill.operate import NoSuchRunError, NotConnectedError, WrongStateError
from jobs.backfill.record import Change
from jobs.backfill.restart import restart
from jobs.queue import queue_key
from tests.simulator.control import Control
from tests.simulator.switchboard import Fault
from tests.support.desk import QUICK, Desk
from tests.support.runs import Collector
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

QUEUE = queue_key("tenant-1", "collections")
ONE_PAGE = replace(QUICK, backfill_turn_ms=1)


@pytest.fixture
async def collector(desk: Desk, control: Control) -> Collector:
    """The backfills of an account of 250 calls, a page a turn."""
    desk.set_timing(ONE_PAGE)
    await control.bulk(250, portal_id=desk.portal_id)
    return Collector(desk)


async def asked(desk: Desk) -> int:
    """Return how many turns are asked for on the queue."""
    jobs: list[bytes] = await desk.redis.zrange(QUEUE, 0, -1)
    return sum(job.startswith(b"tenant-1:turn:") for job in jobs)


async def hanging(desk: Desk, control: Control) -> asyncio.Task[None]:
    """Return a turn whose page HubSpot does not answer."""
    fault = await control.fault(
        Fault(effect="hang", operation="calls.list", portal_id=desk.portal_id)
    )
    turn = asyncio.create_task(collect_calls(desk.context, desk.portal_id, "live", "hanging"))

    async def is_hanging() -> bool:
        return (await control.faults()).struck[fault] > 0

    await until(is_hanging)
    await control.clear_faults()
    return turn


async def test_a_second_start_is_answered_with_the_running_one(
    desk: Desk, collector: Collector
) -> None:
    """One run a kind: starting again returns the unfinished one, also while it is paused."""
    started = await collector.backfills.start(desk.portal_id, "live")
    run = await collector.turn()
    again = await collector.backfills.start(desk.portal_id, "live")
    assert (started.is_new, again.is_new) == (True, False)
    assert again.run == run
    await collector.backfills.pause(run.id)
    assert (await collector.start()).state == "paused"
    archived = await collector.start("archived")
    assert archived.id != run.id


async def test_a_start_asks_for_a_turn(desk: Desk, collector: Collector) -> None:
    """A start puts one job on the collections queue, and each turn that leaves work one more."""
    await collector.start()
    assert await asked(desk) == 1
    await collector.turn()
    assert await asked(desk) == 2
    await collector.turn()
    await collector.turn()
    assert await asked(desk) == 3


async def test_an_account_that_is_not_connected_has_no_backfill(collector: Collector) -> None:
    """A start for an account that cannot be read is refused."""
    with pytest.raises(NotConnectedError, match="account 7 is not connected"):
        await collector.backfills.start(7, "live")


async def test_paused_runs_rest_and_resumed_ones_go_on(desk: Desk, collector: Collector) -> None:
    """A paused run has no turns; resumed it goes on at its page, and finishes."""
    run = await collector.start()
    await collector.turn()
    await collector.backfills.pause(run.id)
    paused = await collector.turn()
    assert (paused.state, paused.pages) == ("paused", 1)
    resumed = await collector.backfills.resume(run.id, ceiling=40)
    assert (resumed.state, resumed.pages, resumed.ceiling) == ("queued", 1, 40)
    finished = await collector.run()
    assert (finished.id, finished.published) == (run.id, 250)
    assert len(await desk.events()) == 250


async def test_cancelled_runs_end(collector: Collector) -> None:
    """A cancelled run has no turns, has not seen the end, and a start begins a new one."""
    run = await collector.start()
    await collector.turn()
    cancelled = await collector.backfills.cancel(run.id)
    assert (cancelled.state, cancelled.saw_end) == ("cancelled", False)
    assert cancelled.ended_at > 0
    assert (await collector.turn()).pages == 1
    assert (await collector.backfills.cancel(run.id)) == cancelled
    assert (await collector.start()).id != run.id


async def test_orders_that_come_too_late(collector: Collector) -> None:
    """A finished run can be neither paused, resumed nor cancelled; an unknown one not found."""
    run = await collector.run()
    for order in (collector.backfills.pause, collector.backfills.cancel):
        with pytest.raises(WrongStateError, match=f"{run.id} is finished"):
            await order(run.id)
    with pytest.raises(WrongStateError):
        await collector.backfills.resume(run.id)
    for unknown in ("1-live-1", "nonsense", f"{run.portal_id}-live-", run.id + "0"):
        with pytest.raises(NoSuchRunError):
            await collector.backfills.find(unknown)


async def test_a_page_in_hand_counts_though_the_run_is_paused(
    desk: Desk, control: Control, collector: Collector
) -> None:
    """A run that is paused in the middle of a page keeps that page, and rests after it."""
    run = await collector.start()
    await control.fault(
        Fault(effect="delay", delay_ms=200, operation="calls.list", portal_id=desk.portal_id)
    )
    turn = asyncio.create_task(collector.turn())

    async def is_running() -> bool:
        return (await collector.latest()).state == "running"

    await until(is_running)
    await collector.backfills.pause(run.id)
    after = await turn
    assert (after.state, after.pages, after.seen) == ("paused", 1, 100)


async def test_a_cancelled_run_moves_no_more(
    desk: Desk, control: Control, collector: Collector
) -> None:
    """A turn that is overtaken by a cancellation changes nothing of the run."""
    run = await collector.start()
    await control.fault(
        Fault(effect="delay", delay_ms=200, operation="calls.list", portal_id=desk.portal_id)
    )
    turn = asyncio.create_task(collector.turn())

    async def is_running() -> bool:
        return (await collector.latest()).state == "running"

    await until(is_running)
    cancelled = await collector.backfills.cancel(run.id)
    assert await turn == cancelled
    assert await asked(desk) == 1


async def test_two_turns_at_once_are_one(desk: Desk, collector: Collector) -> None:
    """Of turns that come at once one reads; the others leave."""
    await collector.start()
    await asyncio.gather(
        *(collect_calls(desk.context, desk.portal_id, "live", f"{n}") for n in range(5))
    )
    run = await collector.latest()
    assert (run.pages, run.step, run.seen) == (1, 1, 100)


async def test_a_turn_that_lost_its_lease_moves_nothing(desk: Desk, collector: Collector) -> None:
    """Of two turns that read the same page only the one that holds the run moves the cursor."""
    await collector.start()
    runs = desk.context.runs
    slow = await runs.begin(desk.portal_id, "live", "slow")
    assert slow is not None
    await collector.tamper("lease_until", "1")
    swift = await runs.begin(desk.portal_id, "live", "swift")
    assert swift is not None
    for turn, done in ((slow, False), (swift, True), (swift, False)):
        change = Change(set={"cursor": "next"}, add={"step": 1, "seen": 100})
        amended = await runs.amend(turn.run, change)
        assert amended.is_done is done
    assert (await collector.latest()).seen == 100


async def test_a_turn_told_to_stop_gives_the_run_back(
    desk: Desk, control: Control, collector: Collector
) -> None:
    """A cancelled turn asks for another one, which goes on at once with the same page."""
    await collector.start()
    turn = await hanging(desk, control)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert await asked(desk) == 2
    assert (await collector.turn()).pages == 1


async def test_a_lost_turn_is_asked_for_again(desk: Desk, collector: Collector) -> None:
    """A run of which nothing is heard for the length of its lease is asked for, by one worker."""
    desk.set_timing(replace(ONE_PAGE, backfill_lease_ms=1, bell_ms=60_000))
    await collector.start()
    await desk.redis.delete(QUEUE)
    await restart(desk.context)
    assert await asked(desk) == 0
    assert await desk.context.runs.begin(desk.portal_id, "live", "killed") is not None
    await asyncio.sleep(0.005)
    await asyncio.gather(*(restart(desk.context) for _ in range(3)))
    assert await asked(desk) == 1
    assert (await collector.turn()).pages == 1


async def test_paused_and_ended_runs_are_not_asked_for(desk: Desk, collector: Collector) -> None:
    """A run that needs no turns is left alone, whatever was last heard of it."""
    desk.set_timing(replace(ONE_PAGE, backfill_lease_ms=1, bell_ms=1))
    run = await collector.start()
    await collector.backfills.pause(run.id)
    await desk.redis.delete(QUEUE)
    await asyncio.sleep(0.005)
    await restart(desk.context)
    await collector.backfills.cancel(run.id)
    await restart(desk.context)
    assert await asked(desk) == 0


@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [("none", []), ("live", ["live"]), ("all", ["live", "archived"])],
)
async def test_the_first_connection_starts_the_backfill(
    desk: Desk, chosen: str, kinds: list[str]
) -> None:
    """BACKFILL_ON_CONNECT says which runs an account's first connection starts; no later one."""
    context = desk.context
    settings = replace(context.settings, backfill_on_connect=chosen)
    desk.context = dataclasses.replace(context, settings=settings)
    await restart(desk.context)
    runs = await context.runs.all()
    assert [run.reads for run in runs] == kinds
    assert await asked(desk) == len(kinds)
    for run in runs:
        await Collector(desk).backfills.cancel(run.id)
    await context.ledger.disconnect(desk.portal_id, "removed")
    await context.ledger.connect(desk.portal_id)
    await restart(desk.context)
    assert [run.state for run in await context.runs.all()] == ["cancelled"] * len(kinds)


async def test_a_run_waits_while_its_account_is_disconnected(
    desk: Desk, collector: Collector
) -> None:
    """Nothing is asked of an account that was disconnected; connected again the run goes on."""
    await collector.start()
    await desk.context.ledger.disconnect(desk.portal_id, "uninstalled")
    run = await collector.turn()
    assert (run.state, run.why, run.pages) == ("waiting", "uninstalled", 0)
    await desk.context.ledger.connect(desk.portal_id)
    assert (await collector.run()).published == 250


async def test_a_run_sleeps_with_its_account(desk: Desk, collector: Collector) -> None:
    """While an account sleeps its run waits for as long."""
    await collector.start()
    await desk.context.ledger.sleep(desk.portal_id, 60_000, "server")
    run = await collector.turn()
    assert (run.state, run.why) == ("waiting", "server")
    assert 50_000 < run.due_at - run.started_at <= 61_000
