"""What a backfill brings: every call once, whole, and nothing a second time."""

import dataclasses

import pytest
from msgspec.structs import replace

from jobs.ledger.hints import Hint
from tests.simulator.control import Control
from tests.support.desk import QUICK, Desk
from tests.support.runs import Collector

pytestmark = pytest.mark.one_redis

TITLE = {"hs_call_title": "Discovery Call"}
ONE_PAGE = replace(QUICK, backfill_turn_ms=1)
"""A turn reads one page."""


async def test_every_live_call_is_published_once(desk: Desk, control: Control) -> None:
    """A run publishes each live call as a snapshot, for one request a hundred calls."""
    await control.bulk(250, portal_id=desk.portal_id)
    run = await Collector(desk).run()
    events = await desk.events()
    assert (run.state, run.saw_end) == ("finished", True)
    assert (run.pages, run.seen, run.published, run.total) == (3, 250, 250, 250)
    assert {event.type for event in events} == {"callstream.call.snapshot"}
    assert {event.data.origin for event in events} == {"backfill"}
    assert sorted(event.subject for event in events) == sorted(await control.truth(desk.portal_id))
    asked = (await control.requests()).accounts[desk.portal_id].by_operation
    assert asked["calls.list"] == 3
    assert "associations.batch_read" not in asked


async def test_the_same_backfill_again_publishes_nothing(desk: Desk, control: Control) -> None:
    """A second run is a new one, finds every call unchanged, and says so."""
    await control.bulk(250, portal_id=desk.portal_id)
    collector = Collector(desk)
    first, second = await collector.run(), await collector.run()
    assert second.id != first.id
    assert (second.published, second.unchanged, second.marked, second.seen) == (0, 250, 0, 250)
    assert len(await desk.events()) == 250


async def test_an_empty_account_is_finished_at_once(desk: Desk) -> None:
    """A run that finds no calls has seen the end."""
    run = await Collector(desk).run()
    assert (run.state, run.saw_end, run.pages, run.seen) == ("finished", True, 1, 0)


async def test_archived_calls_are_a_run_of_their_own(desk: Desk, control: Control) -> None:
    """A run of the archived calls reads those only; none of them is announced as deleted."""
    kept = await control.create(TITLE, portal_id=desk.portal_id)
    binned = await control.create(TITLE, portal_id=desk.portal_id)
    await control.archive(binned, portal_id=desk.portal_id)
    collector = Collector(desk)
    run = await collector.run("archived")
    (event,) = await desk.events()
    assert (event.subject, event.type) == (str(binned), "callstream.call.snapshot")
    assert event.data.call is not None
    assert event.data.call.archived
    assert (run.reads, run.published, run.total) == ("archived", 1, None)
    assert (await collector.run("live")).published == 1
    assert (await desk.last()).subject == str(kept)


async def test_a_call_made_since_the_connection_is_created(desk: Desk, control: Control) -> None:
    """Calls that are younger than the connection are `created`, older ones snapshots."""
    await control.bulk(1, portal_id=desk.portal_id)
    await control.create(TITLE, portal_id=desk.portal_id)
    await Collector(desk).run()
    assert await desk.types() == ["snapshot", "created"]


async def test_a_page_and_a_live_read_agree(desk: Desk, control: Control) -> None:
    """What the live job has published is unchanged on a page, and the other way round."""
    links = {"contacts": [7, 101, 30], "companies": [5]}
    call_id = await control.create(TITLE, links, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    run = await Collector(desk).run()
    assert (run.published, run.unchanged) == (0, 1)
    other = await control.create({"hs_call_body": "<p>Hi</p>"}, links, portal_id=desk.portal_id)
    await Collector(desk).run()
    await desk.fetch_marked(other)
    assert await desk.types() == ["created", "created"]
    event = await desk.last()
    assert event.data.call is not None
    assert event.data.call.associations == {"companies": ("5",), "contacts": ("7", "30", "101")}


async def test_incomplete_associations_are_left_to_the_live_job(
    desk: Desk, control: Control
) -> None:
    """A call whose associations go on behind the page is marked, and read whole by the live job."""
    await control.turn(association_page=2)
    contacts = list(range(101, 106))
    long = await control.create(TITLE, {"contacts": contacts}, portal_id=desk.portal_id)
    short = await control.create(TITLE, {"contacts": [101]}, portal_id=desk.portal_id)
    run = await Collector(desk).run()
    assert (run.published, run.marked, run.seen) == (1, 1, 2)
    assert (await desk.last()).subject == str(short)
    await desk.fetch()
    await control.turn(association_page=500)
    event = await desk.last()
    assert (event.subject, event.data.origin) == (str(long), "backfill")
    assert event.data.call is not None
    assert event.data.call.associations == {"contacts": tuple(map(str, contacts))}


async def test_too_many_properties_for_a_url_are_read_in_a_batch(
    desk: Desk, control: Control
) -> None:
    """With a list of properties that no URL carries, each page costs a second request."""
    names = tuple(f"a_property_of_our_own_number_{number:04}" for number in range(200))
    settings = replace(desk.context.settings, call_properties=("hs_call_title", *names))
    desk.context = dataclasses.replace(desk.context, settings=settings)
    links = {"contacts": [101]}
    call_id = await control.create(TITLE, links, portal_id=desk.portal_id)
    await control.archive(call_id, portal_id=desk.portal_id)
    run = await Collector(desk).run("archived")
    event = await desk.last()
    asked = (await control.requests()).accounts[desk.portal_id].by_operation
    assert (run.published, run.marked) == (1, 0)
    assert event.data.call is not None
    assert event.data.call.properties["hs_call_title"] == "Discovery Call"
    assert event.data.call.associations == {"contacts": ("101",)}
    assert (asked["calls.list"], asked["calls.batch_read"]) == (1, 1)


async def test_a_turn_ends_and_the_next_goes_on(desk: Desk, control: Control) -> None:
    """A turn leaves the run to others after a while; the next goes on at the page that follows."""
    desk.set_timing(ONE_PAGE)
    await control.bulk(250, portal_id=desk.portal_id)
    collector = Collector(desk)
    await collector.start()
    runs = [await collector.turn() for _ in range(3)]
    assert [run.pages for run in runs] == [1, 2, 3]
    assert [run.seen for run in runs] == [100, 200, 250]
    assert [run.state for run in runs] == ["running", "running", "finished"]
    assert len({run.cursor for run in runs}) == 3


async def test_a_ceiling_spreads_the_pages(desk: Desk, control: Control) -> None:
    """With a ceiling of twenty requests per 10 s the second page is due half a second later."""
    await control.bulk(250, portal_id=desk.portal_id)
    collector = Collector(desk)
    await collector.start(ceiling=20)
    await collector.turn()
    run = await collector.turn()
    first_pages = run.pages
    assert run.state == "running"
    assert first_pages < 3
    assert (await collector.turn()).pages == first_pages


async def test_more_than_one_partition(desk: Desk, control: Control) -> None:
    """Calls of a page go to the partitions that they belong to."""
    stream = type(desk.context.stream)(desk.redis, "tenant-1", desk.context.timing, 3)
    desk.context = dataclasses.replace(desk.context, stream=stream)
    await control.bulk(120, portal_id=desk.portal_id)
    run = await Collector(desk).run()
    assert run.published == 120
    for partition in range(3):
        entries = await desk.redis.xrange(f"tenant-1:calls:{{{partition}}}")
        calls = [fields[b"subject"].decode() for _, fields in entries]
        assert calls
        assert {stream.partition_of(desk.portal_id, call) for call in calls} == {partition}


async def test_marks_of_a_backfill_say_so(desk: Desk, control: Control) -> None:
    """A mark of a backfill carries its origin; a notification's goes before it."""
    await control.turn(association_page=1)
    links = {"contacts": [1, 2]}
    call_id = await control.create(TITLE, links, portal_id=desk.portal_id)
    await Collector(desk).run()
    await desk.fetch_marked(call_id, Hint("creation", 1))
    await control.turn(association_page=500)
    assert (await desk.last()).data.origin == "webhook"
