"""When pages cannot be had: a run waits, or says clearly where and why it ended."""

import json

import pytest
from msgspec.structs import replace

from jobs.backfill.failing import PAGE_ATTEMPTS
from tests.simulator.control import Control
from tests.simulator.switchboard import Effect, Fault
from tests.support.desk import QUICK, Desk
from tests.support.runs import Collector

pytestmark = pytest.mark.one_redis

ONE_PAGE = replace(QUICK, backfill_turn_ms=1)


def record(call_id: str) -> dict[str, object]:
    """Return a call as HubSpot lists it."""
    moment = "2024-01-15T10:30:00.000Z"
    values = {"hs_call_title": f"Call {call_id}"}
    return {
        "id": call_id,
        "properties": values,
        "createdAt": moment,
        "updatedAt": moment,
        "archived": False,
    }


def page(*records: object, after: str | None = None) -> str:
    """Return a page of the listing."""
    body: dict[str, object] = {"results": list(records)}
    if after is not None:
        body["paging"] = {"next": {"after": after}}
    return json.dumps(body)


async def answer_with(desk: Desk, control: Control, body: str, times: int = 1) -> None:
    """Let the listing answer with these bytes."""
    await control.fault(
        Fault(
            effect="status",
            status=200,
            body=body,
            operation="calls.list",
            portal_id=desk.portal_id,
            times=times,
        )
    )


async def test_a_record_that_does_not_decode_is_set_aside(desk: Desk, control: Control) -> None:
    """A bad record goes to the dead letters with its bytes, once; the others are published."""
    bad = {"id": "512", "properties": "none"}
    await answer_with(desk, control, page(record("511"), bad, record("513")))
    run = await Collector(desk).run()
    assert (run.state, run.saw_end) == ("finished", True)
    assert (run.published, run.set_aside, run.seen) == (2, 1, 3)
    assert [event.subject for event in await desk.events()] == ["511", "513"]
    (letter,) = await desk.dead()
    assert (letter[b"reason"], letter[b"call_id"]) == (b"undecodable-call", b"512")
    assert letter[b"origin"] == b"backfill"
    assert json.loads(letter[b"raw"]) == bad


async def test_a_refused_cursor_fails_the_run(desk: Desk, control: Control) -> None:
    """A cursor that HubSpot refuses ends the run after a few attempts: failed, end not seen."""
    desk.set_timing(ONE_PAGE)
    await control.bulk(150, portal_id=desk.portal_id)
    collector = Collector(desk)
    await collector.start()
    before = await collector.turn()
    await collector.tamper("cursor", "spoiled")
    waiting = await collector.turn()
    assert (waiting.state, waiting.why) == ("waiting", "refused-page")
    run = await collector.run()
    assert (run.state, run.saw_end, run.pages) == ("failed", False, 1)
    assert run.error.startswith("refused (status 400, category VALIDATION_ERROR")
    (letter,) = await desk.dead()
    assert (letter[b"reason"], letter[b"attempts"]) == (b"refused-page", b"%d" % PAGE_ATTEMPTS)
    assert letter[b"raw"] == b"spoiled"
    assert run.id.encode() in letter[b"error"]
    await collector.tamper("cursor", before.cursor)
    await collector.backfills.resume(run.id)
    resumed = await collector.run()
    assert (resumed.id, resumed.state, resumed.published) == (run.id, "finished", 150)


@pytest.mark.parametrize("body", ["<html>", '{"results": {}}', '{"results": [], "paging": 7}'])
async def test_a_page_that_does_not_decode_fails_the_run(
    desk: Desk, control: Control, body: str
) -> None:
    """A page that never can be read ends the run, with its bytes in the dead letters."""
    await answer_with(desk, control, body, times=PAGE_ATTEMPTS)
    run = await Collector(desk).run()
    assert (run.state, run.why, run.saw_end) == ("failed", "undecodable-page", False)
    (letter,) = await desk.dead()
    assert (letter[b"reason"], letter[b"raw"]) == (b"undecodable-page", body.encode())


async def test_a_page_that_is_spoiled_for_a_while_is_read_again(
    desk: Desk, control: Control
) -> None:
    """A page that can be read the next time costs nothing but time."""
    await control.bulk(20, portal_id=desk.portal_id)
    await answer_with(desk, control, "<html>", times=PAGE_ATTEMPTS - 1)
    run = await Collector(desk).run()
    assert (run.state, run.published, run.attempts) == ("finished", 20, 0)
    assert "undecodable" in run.error
    assert await desk.dead() == []


async def test_a_listing_that_goes_in_a_circle_fails(desk: Desk, control: Control) -> None:
    """A listing whose cursor comes back ends the run instead of going on for ever."""
    await answer_with(desk, control, page(record("7"), after="the-same"), times=10)
    run = await Collector(desk).run()
    assert (run.state, run.saw_end) == ("failed", False)
    assert "circle" in run.error
    assert len(await desk.events()) == 1


@pytest.mark.parametrize("effect", ["status", "cut", "truncate"])
async def test_a_failing_account_is_waited_for(
    desk: Desk, control: Control, effect: Effect
) -> None:
    """While the listing fails the run waits, longer each time; nothing is set aside."""
    await control.bulk(20, portal_id=desk.portal_id)
    collector = Collector(desk)
    await collector.start()
    await control.fault(
        Fault(effect=effect, status=503, operation="calls.list", portal_id=desk.portal_id)
    )
    for attempts in (1, 2, 3):
        await collector.hurry()
        run = await collector.turn()
        assert (run.pages, run.attempts) == (0, attempts)
        assert run.error
    await control.clear_faults()
    run = await collector.run()
    assert (run.state, run.published, run.attempts) == ("finished", 20, 0)
    assert await desk.dead() == []


async def test_retry_after_is_obeyed(desk: Desk, control: Control) -> None:
    """A 429 is no failure: the run waits for as long as it says."""
    await control.fault(
        Fault(
            effect="status",
            status=429,
            retry_after="7",
            operation="calls.list",
            portal_id=desk.portal_id,
        )
    )
    collector = Collector(desk)
    await collector.start()
    run = await collector.turn()
    assert (run.state, run.why, run.attempts) == ("waiting", "rate_limited", 0)
    assert 5_000 < run.due_at - run.started_at < 8_500


async def test_another_account_s_token_brings_no_calls(desk: Desk, control: Control) -> None:
    """A token that belongs to another account is noticed before its calls are published."""
    await control.bulk(20, portal_id=desk.portal_id)
    await control.fault(
        Fault(
            effect="status",
            status=200,
            body='{"portalId": 999999}',
            operation="account.details",
            portal_id=desk.portal_id,
        )
    )
    collector = Collector(desk)
    await collector.start()
    run = await collector.turn()
    assert (run.why, run.pages) == ("wrong_account", 0)
    assert await desk.events() == []


async def test_an_uncounted_account_is_read_all_the_same(desk: Desk, control: Control) -> None:
    """Without a total, and with a token that HubSpot says nothing of, the run goes on."""
    await control.bulk(20, portal_id=desk.portal_id)
    for operation in ("account.details", "calls.search"):
        await control.fault(
            Fault(effect="status", status=403, operation=operation, portal_id=desk.portal_id)
        )
    run = await Collector(desk).run()
    assert (run.state, run.published, run.total) == ("finished", 20, None)
