"""A page and the live job at the same call: what was read earlier never undoes what is newer."""

import asyncio
import dataclasses
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from jobs.backfill.pages import Page, read_page
from jobs.backfill.publication import publish_page
from jobs.backfill.record import Reads, Tally
from jobs.ledger.hints import Hint
from jobs.live.publishing import Setting, take_every_ticket
from jobs.stream.stream import Stream
from tests.simulator.control import Control
from tests.simulator.switchboard import Fault
from tests.support.desk import QUICK, Desk
from tests.support.runs import Collector

pytestmark = pytest.mark.one_redis

TITLE = {"hs_call_title": "Discovery Call"}


class SlowPage:
    """A page that was read and is not published yet."""

    def __init__(self, desk: Desk, tickets: Mapping[int, int], page: Page) -> None:
        self._desk = desk
        self._tickets = tickets
        self.page = page

    @classmethod
    async def read(cls, desk: Desk, reads: Reads = "live") -> "SlowPage":
        """Read the first page, as a turn does."""
        context = desk.context
        projection = await context.projection(desk.portal_id)
        tickets = await take_every_ticket(context.stream)
        page = await read_page(context.hubspot, desk.portal_id, reads, None, projection)
        return cls(desk, tickets, page)

    async def publish(self) -> Tally:
        """Take it to the stream, at last."""
        context, portal_id = self._desk.context, self._desk.portal_id
        setting = Setting(
            portal_id=portal_id,
            projection=await context.projection(portal_id),
            tickets=self._tickets,
            dispositions={},
            connected_at=(await context.ledger.door(portal_id)).connected_at,
            now=0,
        )
        return await publish_page(context, setting, self.page)


async def test_a_page_read_before_a_deletion_brings_nothing_back(
    desk: Desk, control: Control
) -> None:
    """A live state that was read before the published deletion is marked, not published."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    slow = await SlowPage.read(desk)
    await control.archive(call_id, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("deletion"))
    tally = await slow.publish()
    assert (tally.published, tally.marked) == (0, 1)
    await desk.fetch()
    assert await desk.types() == ["deleted"]


async def test_a_page_read_before_a_purge_brings_nothing_back(desk: Desk, control: Control) -> None:
    """Nor does it bring back a call that HubSpot has forgotten since."""
    desk.set_timing(replace(QUICK, gone_apart_ms=1))
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    slow = await SlowPage.read(desk)
    await control.purge(call_id, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("deletion"))
    await asyncio.sleep(0.002)
    await desk.fetch_marked(call_id, Hint("deletion"))
    assert await desk.types() == ["created", "deleted"]
    assert (await slow.publish()).published == 0
    assert await desk.types() == ["created", "deleted"]


async def test_a_slow_page_brings_back_no_call_that_came_and_went(
    desk: Desk, control: Control
) -> None:
    """A call that was purged before anybody knew it leaves no record; an old page is not trusted.

    Had the page been quick, the call would have been published, and then its end.
    """
    quick = replace(QUICK, gone_apart_ms=40, hint_patience_ms=1)
    desk.set_timing(quick)
    stream = Stream(desk.redis, "tenant-1", quick, 1)
    desk.context = dataclasses.replace(desk.context, stream=stream)
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    slow = await SlowPage.read(desk)
    await control.purge(call_id, portal_id=desk.portal_id)
    await desk.mark(call_id, Hint("deletion"))
    while await desk.waits_ms(call_id) is not None:
        await asyncio.sleep(0.01)
        await desk.fetch()
    tally = await slow.publish()
    assert (tally.published, tally.marked) == (0, 1)
    assert await desk.events() == []


async def test_an_archived_page_undoes_no_restore(desk: Desk, control: Control) -> None:
    """A page of the archived calls that was read before a restore leaves the call restored."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await control.archive(call_id, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("deletion"))
    slow = await SlowPage.read(desk, "archived")
    await control.restore(call_id, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("restore"))
    tally = await slow.publish()
    assert (tally.published, tally.marked) == (0, 1)
    await desk.fetch()
    assert await desk.types() == ["deleted", "restored"]


async def test_an_older_page_follows_no_newer_state(desk: Desk, control: Control) -> None:
    """A state that changed after the page was read, and was published, is not followed by it."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    slow = await SlowPage.read(desk)
    await control.update(call_id, {"hs_call_title": "Second"}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    assert (await slow.publish()).marked == 1
    await desk.fetch()
    (event,) = await desk.events()
    assert event.data.call is not None
    assert event.data.call.title == "Second"


async def test_a_page_from_a_lagging_replica_is_marked(desk: Desk, control: Control) -> None:
    """A page that gives an older state than the published one leaves the call to the live job."""
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await asyncio.sleep(0.005)
    await control.update(call_id, {"hs_call_title": "Second"}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await control.fault(Fault(effect="stale", operation="calls.list", portal_id=desk.portal_id))
    run = await Collector(desk).run()
    assert (run.published, run.unchanged, run.marked) == (0, 0, 1)
    await desk.fetch()
    assert len(await desk.events()) == 1
    assert await desk.waits_ms(call_id) is None


async def test_the_same_page_twice_is_unchanged(desk: Desk, control: Control) -> None:
    """A page that two turns publish is published once."""
    await control.bulk(50, portal_id=desk.portal_id)
    one, two = await SlowPage.read(desk), await SlowPage.read(desk)
    assert (await two.publish()).published == 50
    assert (await one.publish()).unchanged == 50
    assert len(await desk.events()) == 50
