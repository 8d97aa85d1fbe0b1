"""Reconciliation, turn by turn: what it finds, what it leaves alone, where it goes on."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from jobs.ledger.hints import Hint
from jobs.redis import command
from tests.simulator.control import Control
from tests.simulator.messages import Create, Update
from tests.simulator.process import simulator_process
from tests.simulator.switchboard import Fault
from tests.support.desk import Desk
from tests.support.reconciling import AT_ONCE, Reconciler, reconciling

pytestmark = pytest.mark.one_redis

TITLE = {"hs_call_title": "Discovery Call"}


async def test_search_finds_created_and_changed_calls(
    reconciler: Reconciler, control: Control
) -> None:
    """What was modified since the watermark is read, once; a second search asks HubSpot once."""
    desk = reconciler.desk
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    standing = await reconciler.search()
    assert await desk.types() == ["created"]
    assert (await desk.last()).data.origin == "reconciliation"
    assert standing.last is not None
    assert standing.last.state == "finished"
    assert standing.watermark == standing.last.until
    await control.update(call_id, {"hs_call_title": "Second"}, portal_id=desk.portal_id)
    await reconciler.search()
    assert await desk.types() == ["created", "updated"]
    figures = await reconciler.missed()
    assert figures.count == 2
    assert [miss.found for miss in figures.latest] == ["search", "search"]
    assert all(miss.age_ms is not None and not miss.at_most for miss in figures.latest)


async def test_what_notifications_delivered_is_not_read_again(
    reconciler: Reconciler, control: Control
) -> None:
    """A hit whose record shows its time of modification is passed over, and nothing is missed."""
    desk = reconciler.desk
    ids = await control.do(*[Create(properties=TITLE)] * 5, portal_id=desk.portal_id)
    for call_id in ids:
        await desk.mark(call_id, Hint("creation", 1))
    await desk.fetch()
    standing = await reconciler.search()
    assert standing.last is not None
    assert standing.last.counts.seen == 5
    assert standing.last.counts.marked == 0
    assert (await reconciler.missed()).count == 0


@pytest.mark.parametrize("named", ["before", "after", "by nobody"])
async def test_what_anybody_else_names_is_not_missed(
    reconciler: Reconciler, control: Control, named: str
) -> None:
    """A found call counts only if no notification named it, be it before the search or after."""
    desk = reconciler.desk
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    if named == "before":
        await desk.mark(call_id, Hint("creation", 1))
    await reconciler.ask()
    while (await reconciler.standing()).last is None:
        await reconciler.turn()
    if named == "after":
        await desk.mark(call_id, Hint("creation", 1))
    await desk.fetch()
    assert await desk.types() == ["created"]
    assert (await reconciler.missed()).count == (1 if named == "by nobody" else 0)


async def archive(control: Control, desk: Desk, call_id: int) -> None:
    """Archive the call."""
    await control.archive(call_id, portal_id=desk.portal_id)


async def purge(control: Control, desk: Desk, call_id: int) -> None:
    """Archive the call and empty the bin."""
    await control.archive(call_id, portal_id=desk.portal_id)
    await control.purge(call_id, portal_id=desk.portal_id)


async def associate(control: Control, desk: Desk, call_id: int) -> None:
    """Associate the call with a contact."""
    await control.associate(call_id, "contacts", 101, portal_id=desk.portal_id)


async def update(control: Control, desk: Desk, call_id: int) -> None:
    """Change the call's title."""
    await control.update(call_id, {"hs_call_title": "Second"}, portal_id=desk.portal_id)


@pytest.mark.parametrize(
    ("change", "kind", "found"),
    [
        (archive, "deleted", "archived"),
        (purge, "deleted", "unnamed"),
        (associate, "updated", "listing"),
        (update, "updated", "search"),
    ],
)
async def test_round_finds_every_kind_of_untold_change(
    reconciler: Reconciler, control: Control, change: Callable[..., object], kind: str, found: str
) -> None:
    """A deletion, a purge, an association and an edit are each found by their own step, once."""
    desk = reconciler.desk
    ids = await control.do(*[Create(properties=TITLE)] * 10, portal_id=desk.portal_id)
    await reconciler.round()
    before = (await reconciler.missed()).count
    await change(control, desk, ids[3])  # type: ignore[misc]
    standing = await reconciler.round()
    assert standing.last is not None
    assert standing.last.state == "finished"
    last = await desk.last()
    assert (last.subject, last.type) == (str(ids[3]), f"callstream.call.{kind}")
    assert last.data.origin == "reconciliation"
    figures = await reconciler.missed()
    assert figures.count == before + 1
    assert figures.latest[0].call_id == str(ids[3])
    assert figures.latest[0].found == found
    assert figures.latest[0].age_ms is not None
    await reconciler.round()
    assert len(await desk.events()) == 11
    assert (await reconciler.missed()).count == before + 1


async def test_untold_merge_names_the_survivor(reconciler: Reconciler, control: Control) -> None:
    """Of a merge that nobody told of, the survivor is searched and says who went into it."""
    desk = reconciler.desk
    first, second = await control.do(*[Create(properties=TITLE)] * 2, portal_id=desk.portal_id)
    await reconciler.round()
    survivor = await control.merge(first, second, portal_id=desk.portal_id)
    await reconciler.round()
    last = {event.subject: event for event in await desk.events()}
    gone = ({first, second} - {survivor}).pop()
    assert last[str(gone)].data.merged_into == str(survivor)
    count = (await reconciler.missed()).count
    await reconciler.round()
    assert (await reconciler.missed()).count == count


async def test_untold_restore_is_found(reconciler: Reconciler, control: Control) -> None:
    """A call that came back without a word is `restored`."""
    desk = reconciler.desk
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await control.archive(call_id, portal_id=desk.portal_id)
    await reconciler.round()
    await control.restore(call_id, portal_id=desk.portal_id)
    await reconciler.round()
    assert (await desk.types())[-1] == "restored"


async def test_a_refused_cursor_begins_the_listing_anew(
    reconciler: Reconciler, control: Control
) -> None:
    """A listing that HubSpot refuses in its middle is read from its beginning, and counted."""
    desk = reconciler.desk
    await control.do(*[Create(properties=TITLE)] * 250, portal_id=desk.portal_id)
    await reconciler.search()
    refusal = Fault(
        effect="status", status=400, operation="calls.list", portal_id=desk.portal_id, times=1
    )
    await reconciler.ask(full=True)
    standing = await reconciler.standing()
    while standing.run is None or standing.run.step != "live" or standing.run.after is None:
        desk.set_timing(replace(AT_ONCE, collection_turn_ms=0))
        await reconciler.turn()
        standing = await reconciler.standing()
    await control.fault(refusal)
    standing = await reconciler.finish()
    assert standing.last is not None
    assert standing.last.state == "finished"
    assert standing.last.counts.restarts == 1


async def test_a_listing_that_is_refused_fails_and_says_so(
    reconciler: Reconciler, control: Control
) -> None:
    """A first page that HubSpot refuses ends the run as failed; the watermark stays."""
    desk = reconciler.desk
    refusal = Fault(effect="status", status=400, operation="calls.list", portal_id=desk.portal_id)
    await control.fault(refusal)
    standing = await reconciler.round()
    assert standing.last is not None
    assert standing.last.state == "failed"
    assert "400" in standing.last.why
    assert standing.round_at == 0


async def test_many_calls_of_one_millisecond_are_all_found(
    redis: Redis, redis_url: str, namespace: str
) -> None:
    """25,000 calls modified in one millisecond: each is named by the search."""
    async with contextlib.AsyncExitStack() as stack:
        hubspot = await stack.enter_async_context(simulator_process("--knob=rate_limit=1000000"))
        control = await stack.enter_async_context(Control(hubspot.url))
        reconciler = await stack.enter_async_context(
            reconciling(hubspot.url, control, 900_000, redis, redis_url, namespace)
        )
        await control.clock(freeze=True)
        ids: set[int] = set()
        for _ in range(25):
            ids |= {*await control.do(*[Create(properties=TITLE)] * 1_000, portal_id=900_000)}
        truth = await control.truth(900_000)
        assert len({call.updated_at for call in truth.values()}) == 1
        await control.clock(resume=True)
        await reconciler.ask()
        marked: set[bytes] = set()
        rooms = f"{namespace}:ledger:900000"
        while (await reconciler.standing()).last is None:
            await reconciler.turn()
            # Not read, but taken out of the ledger: this is about what the search names.
            marked |= {*await redis.zrange(f"{rooms}:due", 0, -1)}
            await redis.delete(f"{rooms}:due", f"{rooms}:hints")
        assert {int(call_id) for call_id in marked} == ids


async def test_another_workers_turn_is_left_alone(reconciler: Reconciler) -> None:
    """While a worker holds the account another's turn does nothing; a slow one writes nothing."""
    desk = reconciler.desk
    store = desk.context.reconciliations
    held = await store.take(desk.portal_id, "first")
    assert held is not None
    await reconciler.ask()
    await reconciler.turn()
    assert (await reconciler.standing()).last is None
    await command(desk.redis, "HSET", reconciler.key, "until", "1")
    await reconciler.turn()
    standing = await reconciler.standing()
    assert standing.last is not None
    assert not await store.keep(desk.portal_id, "first", held.standing, again_ms=0)
    assert await reconciler.standing() == standing


async def test_calls_from_before_the_connection_are_left_to_backfill(
    reconciler: Reconciler, control: Control
) -> None:
    """With `BACKFILL_ON_CONNECT=none` a round brings no call that has not changed since."""
    desk = reconciler.desk
    none = replace(desk.context.settings, backfill_on_connect="none")
    desk.context = dataclasses.replace(desk.context, settings=none)
    await control.bulk(30, portal_id=desk.portal_id)
    ids = await control.do(*[Create(properties=TITLE)] * 3, portal_id=desk.portal_id)
    await reconciler.round()
    assert {event.subject for event in await desk.events()} == set(map(str, ids))


async def test_live_work_goes_first(reconciler: Reconciler, control: Control) -> None:
    """While more calls wait to be read than two claims take, nothing more is looked for."""
    desk = reconciler.desk
    ids = await control.do(*[Create(properties=TITLE)] * 201, portal_id=desk.portal_id)
    for call_id in ids:
        await desk.mark(call_id, Hint("creation", 1))
    await control.reset_counts()
    await reconciler.ask()
    await reconciler.turn()
    run = (await reconciler.standing()).run
    assert run is not None
    assert (run.state, run.why) == ("waiting", "live work goes first")
    requests = await control.requests()
    assert desk.portal_id not in requests.accounts


async def test_edits_while_a_search_pages_are_found(
    reconciler: Reconciler, control: Control
) -> None:
    """Calls that are edited between the pages of a search: this search or the next finds them."""
    desk = reconciler.desk
    ids = await control.do(*[Create(properties=TITLE)] * 900, portal_id=desk.portal_id)
    await reconciler.ask()
    paged = replace(AT_ONCE, collection_turn_ms=0, search_margin_ms=0)
    desk.set_timing(paged)
    await asyncio.sleep(1.1)  # HubSpot's `Date` has whole seconds
    step = 0
    while (await reconciler.standing()).last is None:
        edits = [Update(call_id, {"hs_call_title": f"{step}"}) for call_id in ids[step::97]]
        await control.do(*edits, portal_id=desk.portal_id)
        step += 1
        await reconciler.turn()
        while await reconciler.is_marked():
            await desk.fetch()
    desk.set_timing(AT_ONCE)
    await reconciler.search()
    truth = await control.truth(desk.portal_id)
    last = {event.subject: event for event in await desk.events()}
    assert last.keys() == truth.keys()
    for call_id, call in truth.items():
        told = last[call_id].data.call
        assert told is not None
        assert told.title == call.properties["hs_call_title"]


async def test_a_purge_counts_as_missed_though_its_verdict_takes_long(
    reconciler: Reconciler, control: Control
) -> None:
    """A call that is gone untold is held for a while; who found it is remembered meanwhile."""
    desk = reconciler.desk
    desk.set_timing(replace(AT_ONCE, hint_patience_ms=1, gone_held_ms=150))
    ids = await control.do(*[Create(properties=TITLE)] * 10, portal_id=desk.portal_id)
    await reconciler.round()
    await purge(control, desk, ids[0])
    await reconciler.round()
    last = await desk.last()
    assert (last.type, last.data.call, last.data.origin) == (
        "callstream.call.deleted",
        None,
        "reconciliation",
    )
    (miss, *_) = (await reconciler.missed()).latest
    assert (miss.call_id, miss.found) == (str(ids[0]), "unnamed")
    assert miss.at_most
    assert miss.age_ms is not None


async def test_an_outage_is_waited_out(reconciler: Reconciler, control: Control) -> None:
    """While HubSpot fails the run waits and says for what; then it goes on where it was."""
    desk = reconciler.desk
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    failing = Fault(effect="status", status=503, portal_id=desk.portal_id)
    fault = await control.fault(failing)
    await reconciler.ask(full=True)
    await reconciler.turn()
    run = (await reconciler.standing()).run
    assert run is not None
    assert (run.state, run.failures) == ("waiting", 1)
    assert "503" in run.why
    await control.clear_faults(fault)
    standing = await reconciler.finish()
    assert standing.last is not None
    assert (standing.last.id, standing.last.state) == (run.id, "finished")
    assert (await desk.last()).subject == str(call_id)


async def test_a_page_that_never_decodes_is_set_aside(
    reconciler: Reconciler, control: Control
) -> None:
    """After a few attempts such a page fails the round, in the dead letters; searches go on."""
    desk = reconciler.desk
    desk.set_timing(replace(AT_ONCE, portal_backoff_first_ms=1, portal_backoff_last_ms=5))
    spoilt = Fault(effect="corrupt", operation="calls.list", portal_id=desk.portal_id)
    await control.fault(spoilt)
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    standing = await reconciler.round()
    assert standing.last is not None
    assert standing.last.state == "failed"
    assert "undecodable" in standing.last.why
    assert standing.watermark == standing.last.until
    (letter,) = await desk.dead()
    assert letter[b"reason"] == b"undecodable-page"
    assert letter[b"origin"] == b"reconciliation"
    assert (await desk.last()).subject == str(call_id)
