"""`callstream forget`: nothing of what was said on a call is left, and consumers learn of it."""

from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import cast

import msgspec
import pytest
from callstream_client.events import CallEvent, decode
from redis.asyncio import Redis

from jobs.erasure.eraser import Eraser, Erasure
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.redis import command
from jobs.stream.records import Record
from jobs.stream.stream import Candidate, Overtaken, Stream
from tests.simulator.control import Control
from tests.support.commands import CALLSTREAM, run_command
from tests.support.desk import QUICK, Desk
from tests.support.letters import all_of, box_of, bury, letter

PORTAL = 62515
SECRET = "what was said"


@pytest.fixture
def eraser(redis: Redis, namespace: str) -> Eraser:
    """What forgets calls, all on one Redis."""
    return Eraser(redis, redis, namespace, Ledger(redis, namespace, QUICK), QUICK)


@pytest.fixture
async def stream(redis: Redis, namespace: str) -> Stream:
    """Three streams, announced."""
    stream = Stream(redis, namespace, QUICK, 3)
    await stream.prepare()
    return stream


async def publish(stream: Stream, call_id: str, *titles: str, ticket: int = 0) -> list[object]:
    """Publish states of a call, one after the other."""
    partition = stream.partition_of(PORTAL, call_id)
    outcomes: list[object] = []
    for title in titles:
        data = {"portal_id": PORTAL, "call_id": call_id, "call": {"id": call_id, "body": title}}
        candidate = Candidate(
            call_id=call_id,
            ticket=ticket or await stream.ticket(partition),
            digest=title.encode().ljust(8)[:8],
            updated_at_ms=len(outcomes) + 1,
            state="live",
            first_type="created",
            time="2024-01-15T11:00:00.000Z",
            data=msgspec.json.encode(data),
        )
        outcomes += await stream.publish(partition, PORTAL, 1, [candidate])
    return outcomes


async def events_of(redis: Redis, call_id: str) -> Sequence[dict[bytes, bytes]]:
    """Return the entries about a call on all three streams."""
    found: list[dict[bytes, bytes]] = []
    for partition in range(3):
        answer = await redis.xrange(f"tenant-1:calls:{{{partition}}}")
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", answer)
        found += [fields for _, fields in entries if fields[b"subject"] == call_id.encode()]
    return found


async def record_of(stream: Stream, call_id: str) -> Record:
    """Return what is known of a call."""
    return {found: record async for found, record in stream.records.walk(PORTAL)}[call_id]


async def everything(redis: Redis) -> bytes:
    """Return all that Redis holds."""
    return b"".join([cast("bytes", await redis.dump(key)) for key in await redis.keys()])


async def test_nothing_said_is_left(redis: Redis, stream: Stream, eraser: Eraser) -> None:
    """Every event with a state goes; one without stays, under a sequence above all of them."""
    await publish(stream, "512", SECRET, f"2 {SECRET}", f"3 {SECRET}")
    before = await events_of(redis, "512")

    done = await eraser.erase(PORTAL, "512")

    assert done == Erasure(
        portal_id=PORTAL,
        call_id="512",
        marked=False,
        events=3,
        dead_letters=0,
        known=True,
        told=True,
    )
    (left,) = await events_of(redis, "512")
    event = decode(left)
    assert isinstance(event, CallEvent)
    assert event.type == "callstream.call.deleted"
    assert event.data.call is None
    assert [change.kind for change in event.data.changes] == ["privacyDeletion"]
    assert left[b"sequence"] > max(one[b"sequence"] for one in before)
    assert SECRET.encode() not in await everything(redis)
    assert (await record_of(stream, "512")).state == "erased"


async def test_twice(redis: Redis, stream: Stream, eraser: Eraser) -> None:
    """Done again, nothing is published and nothing deleted."""
    await publish(stream, "512", SECRET)
    await eraser.erase(PORTAL, "512")
    left = await events_of(redis, "512")
    again = await eraser.erase(PORTAL, "512")
    assert (again.events, again.told, again.known) == (0, False, True)
    assert await events_of(redis, "512") == left


async def test_others_keep_everything(redis: Redis, stream: Stream, eraser: Eraser) -> None:
    """Calls whose ids begin or end alike keep their events, marks and letters."""
    ledger = Ledger(redis, "tenant-1", QUICK)
    others = ["51", "5120", "2", "12"]
    for call_id in ("512", *others):
        await publish(stream, call_id, "one", "two")
        await ledger.mark([Mark(PORTAL, call_id, (Hint("creation", 1),))])
        await bury(redis, "tenant-1", letter(call_id, portal_id=PORTAL))
    await bury(redis, "tenant-1", letter("512", portal_id=1))

    done = await eraser.erase(PORTAL, "512")

    assert (done.marked, done.events, done.dead_letters) == (True, 2, 1)
    for call_id in others:
        assert len(await events_of(redis, call_id)) == 2
    room = f"tenant-1:ledger:{PORTAL}"
    for name in ("due", "hints"):
        words = "ZRANGE" if name == "due" else "HKEYS"
        span = (0, -1) if name == "due" else ()
        held = cast("list[bytes]", await command(redis, words, f"{room}:{name}", *span))
        assert {call.decode() for call in held} == set(others)
    left = {(one.portal_id, one.call_id) for one in await all_of(box_of(redis, "tenant-1"))}
    assert left == {*((PORTAL, call_id) for call_id in others), (1, "512")}


async def test_a_reader_that_began_before_comes_too_late(stream: Stream, eraser: Eraser) -> None:
    """What was read before the call was forgotten is not published after it."""
    await publish(stream, "512", "one")
    ticket = await stream.ticket(stream.partition_of(PORTAL, "512"))
    await eraser.erase(PORTAL, "512")
    assert await publish(stream, "512", SECRET, ticket=ticket) == [Overtaken()]


async def test_a_later_list_of_properties(stream: Stream, eraser: Eraser) -> None:
    """A call of an account whose list of properties has changed is forgotten all the same."""
    await publish(stream, "512", "one")
    await stream.records.adopt(PORTAL, 7)
    assert (await eraser.erase(PORTAL, "512")).told


async def test_events_without_a_record(redis: Redis, stream: Stream, eraser: Eraser) -> None:
    """Events of a call that nothing is known of any more, and copies for a replay, go as well."""
    await publish(stream, "512", "one", "two")
    for fields in await events_of(redis, "512"):
        words = [word for pair in fields.items() for word in pair]
        await command(redis, "XADD", "tenant-1:calls:replay:{crm}", "*", *words)
    await redis.delete(*[key async for key in redis.scan_iter(match="tenant-1:records:*")])
    done = await eraser.erase(PORTAL, "512")
    assert (done.events, done.known, done.told) == (4, False, False)
    assert await events_of(redis, "512") == []
    assert await redis.xlen("tenant-1:calls:replay:{crm}") == 0


async def test_progress_and_many_entries(redis: Redis, stream: Stream, eraser: Eraser) -> None:
    """All entries are looked at, and progress is told up to the last."""
    for number in range(1, 451):
        await publish(stream, str(1_000 + number), "x")
        if number % 150 == 0:
            await publish(stream, "512", str(number))
    told: list[tuple[int, int]] = []
    done = await eraser.erase(PORTAL, "512", lambda seen, total: told.append((seen, total)))
    assert done.events == 3
    assert told[-1] == (454, 454)
    assert [seen for seen, _ in told] == sorted({seen for seen, _ in told})
    assert len(await events_of(redis, "512")) == 1


async def test_before_any_stream(eraser: Eraser, redis: Redis) -> None:
    """Where nothing is known there is nothing to do, and nothing is written."""
    done = await eraser.erase(PORTAL, "512")
    assert (done.known, done.events, done.dead_letters, done.marked) == (False, 0, 0, False)
    assert await redis.keys() == []


@pytest.mark.one_redis
async def test_what_hubspot_still_shows_stays_forgotten(
    desk: Desk, control: Control, redis: Redis, tmp_path: Path, redis_url: str
) -> None:
    """After the command a notification for the archived call publishes nothing of it."""
    call_id = await control.create({"hs_call_body": SECRET}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("creation", 1))
    await control.archive(call_id, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("deletion", 1))
    await desk.mark(call_id)

    def forget(*arguments: str) -> CompletedProcess[str]:
        own = {"REDIS_URL": redis_url, "NAMESPACE": "tenant-1"}
        return run_command([*CALLSTREAM, "forget", *arguments], tmp_path, **own)

    done = forget(str(desk.portal_id), str(call_id))
    told = f"call {call_id} of account {desk.portal_id} forgotten: 2 events, 0 dead letters deleted"
    assert (done.returncode, done.stdout) == (0, f"{told}; consumers are told\n")
    assert SECRET.encode() not in await everything(redis)
    await desk.fetch_marked(call_id, Hint("propertyChange", 1, "hs_call_body"))
    assert await desk.waits_ms(call_id) is None
    assert [event.data.call for event in await desk.events()] == [None]
    again = forget(str(desk.portal_id), str(call_id), "--json")
    assert msgspec.json.decode(again.stdout)["events"] == 0
    assert forget("777", "1").stdout == "nothing is known of call 1 of account 777\n"
    assert forget("777").returncode == 2
    assert forget("777", "x").returncode == 2
