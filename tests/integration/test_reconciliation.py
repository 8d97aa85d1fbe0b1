"""Reconciliation, turn by turn: what it finds, what it leaves alone, where it goes on."""

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from jobs.context import open_context
from jobs.hints import Hint
from jobs.reconciliation.missed import MissedFigures
from jobs.reconciliation.runs import Ask, Standing
from jobs.reconciliation.store import Reconciliations
from jobs.reconciliation.turn import reconcile_calls
from jobs.redis import command
from jobs.reread import reread_calls
from jobs.settings import Settings
from jobs.values import Secret
from tests.simulator.control import Control
from tests.simulator.messages import Create, Update
from tests.simulator.process import Running
from tests.simulator.switchboard import Fault
from tests.support.desk import QUICK, Desk

pytestmark = pytest.mark.one_redis

AT_ONCE = replace(
    QUICK, search_margin_ms=-5_000, gone_apart_ms=20, gone_held_ms=60, budget_window_ms=100
)
"""Search lags behind by nothing, and our windows reach into its future."""

TITLE = {"hs_call_title": "Discovery Call"}


class Reconciler:
    """One account's reconciliation beside its live work."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.set_timing(AT_ONCE)
        redis, namespace = desk.redis, desk.context.settings.namespace
        store = Reconciliations(redis, namespace, AT_ONCE)
        desk.context = dataclasses.replace(desk.context, reconciliations=store)

    async def ask(self, *, full: bool = False) -> None:
        """Ask for a run that searches from the start: windows here reach into the future."""
        await command(self.desk.redis, "HDEL", self.key, "watermark")
        ask = Ask(id="asked", full=full)
        await self.desk.context.reconciliations.ask(self.desk.portal_id, ask)

    @property
    def key(self) -> str:
        """The key of the account's standing."""
        return self.desk.context.reconciliations.key(self.desk.portal_id)

    async def turn(self) -> None:
        """Take one turn."""
        await reconcile_calls(self.desk.context, self.desk.portal_id)

    async def standing(self) -> Standing:
        """Return where the account stands."""
        return await self.desk.context.reconciliations.standing(self.desk.portal_id)

    async def finish(self) -> Standing:
        """Take turns, and read what they mark, until the run has ended and nothing is marked."""
        while True:
            await self.turn()
            while await self.is_marked():
                await self.desk.fetch()
            standing = await self.standing()
            if standing.run is None:
                return standing
            await asyncio.sleep(0.02)

    async def round(self) -> Standing:
        """Ask for a full round and see it through."""
        await self.ask(full=True)
        return await self.finish()

    async def search(self) -> Standing:
        """Ask for a search and see it through."""
        await self.ask()
        return await self.finish()

    async def missed(self) -> MissedFigures:
        """Return what was missed so far."""
        return await self.desk.context.missed.figures(self.desk.portal_id)

    async def is_marked(self) -> bool:
        """Tell whether a call waits to be read."""
        key = f"{self.desk.context.settings.namespace}:ledger:{self.desk.portal_id}"
        waiting = await self.desk.redis.zcard(f"{key}:due")
        return bool(waiting)


_portals = itertools.count(800_000)


@pytest.fixture
async def reconciler(
    redis: Redis, redis_url: str, namespace: str, simulator: Running, control: Control
) -> AsyncIterator[Reconciler]:
    """A new account whose search is up to date, and whose properties have been read before."""
    portal_id = next(_portals)
    account = await control.open_account(portal_id)
    await control.turn(search_delay_ms=0, search_limit=1_000_000)
    settings = Settings(
        redis_url=redis_url,
        streams_redis_url=redis_url,
        namespace=namespace,
        hubspot_access_token=Secret(account.token),
        hubspot_portal_id=portal_id,
        hubspot_api_url=simulator.url,
        hubspot_rate_limit=1_000_000,
        call_properties=("hs_call_title", "hs_call_body"),
        call_associations=("contacts", "companies"),
        timing_scale=0.02,
    )
    async with open_context(settings, slots=20) as context:
        await context.ledger.connect(portal_id)
        projection = await context.projection(portal_id)
        await reread_calls(context, portal_id, projection.generation)
        yield Reconciler(Desk(context, redis, portal_id, namespace))
    await control.turn(search_delay_ms=2_000, search_limit=5)


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
    reconciler: Reconciler, control: Control
) -> None:
    """25,000 calls modified in one millisecond: each is named by the search."""
    desk = reconciler.desk
    await control.clock(freeze=True)
    try:
        ids: set[int] = set()
        for _ in range(25):
            ids |= {
                *await control.do(*[Create(properties=TITLE)] * 1_000, portal_id=desk.portal_id)
            }
        truth = await control.truth(desk.portal_id)
    finally:
        await control.clock(resume=True)
    assert len({call.updated_at for call in truth.values()}) == 1
    store = desk.context.reconciliations
    await reconciler.ask()
    marked: set[bytes] = set()
    due = f"{desk.context.settings.namespace}:ledger:{desk.portal_id}"
    while True:
        await reconciler.turn()
        # Not read, but taken out of the ledger: this is about what the search names.
        marked |= {*await desk.redis.zrange(f"{due}:due", 0, -1)}
        await desk.redis.delete(f"{due}:due", f"{due}:hints")
        if (await store.standing(desk.portal_id)).run is None:
            break
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
