"""Removing an account: nothing of it is left, of others everything, and consumers are told."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import cast

import pytest
from callstream_client.events import ACCOUNT_REMOVED, NoticeEvent, decode
from redis.asyncio import Redis

from jobs.accounts.register import Register
from jobs.accounts.removal import Removal, Remover
from jobs.accounts.streamed import Streamed
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Done, Mark
from jobs.redis import command
from jobs.stream.stream import Candidate, Stream
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.support.desk import Desk
from tests.support.waiting import until

PORTAL, OTHER = 62515, 6251
QUICK = Timing(quiet_ms=0, pace_ms=0)


def remover(redis: Redis, namespace: str, timing: Timing = QUICK) -> Remover:
    """Return what removes accounts from one Redis."""
    ledger = Ledger(redis, namespace, timing)
    register = Register(redis, namespace, ledger, timing)
    return Remover(redis, redis, namespace, ledger=ledger, register=register, timing=timing)


async def publish(stream: Stream, portal_id: int, count: int) -> None:
    """Publish so many calls of an account."""
    for number in range(1, count + 1):
        call_id = str(number)
        partition = stream.partition_of(portal_id, call_id)
        candidate = Candidate(
            call_id=call_id,
            ticket=await stream.ticket(partition),
            digest=number.to_bytes(8),
            updated_at_ms=1,
            state="live",
            first_type="snapshot",
            time="2024-01-15T11:00:00.000Z",
            data=b"{}",
        )
        await stream.publish(partition, portal_id, 1, [candidate])


async def named(redis: Redis, portal_id: int) -> list[bytes]:
    """Return the keys that are named after an account, but for jobs on arq's queue."""
    keys = cast("list[bytes]", await redis.keys())
    word = str(portal_id).encode()
    return [key for key in keys if word in key.split(b":") and not key.startswith(b"arq:")]


async def entries(redis: Redis, namespace: str, partition: int) -> list[Mapping[bytes, bytes]]:
    """Return what lies on a stream."""
    answer = await redis.xrange(f"{namespace}:calls:{{{partition}}}")
    return [fields for _, fields in cast("list[tuple[bytes, Mapping[bytes, bytes]]]", answer)]


def owners(found: Iterable[Mapping[bytes, bytes]]) -> list[str]:
    """Return whose events they are, in order."""
    keys = [fields.get(b"partitionkey", b"notice").decode() for fields in found]
    return [key.partition(":")[0] for key in keys]


async def test_nothing_is_left(desk: Desk, control: Control, redis: Redis, namespace: str) -> None:
    """After the removal no key is named after the account; its events wait for retention."""
    portal_id = desk.portal_id
    for title in ("One", "Two"):
        call_id = await control.create({"hs_call_title": title}, portal_id=portal_id)
        await desk.fetch_marked(call_id, Hint("creation", 1))
    await desk.mark(3)
    letter = DeadLetter(reason="x", error="y", raw=b"z", portal_id=portal_id)
    await desk.context.ledger.mark([], [letter])
    assert len(await named(redis, portal_id)) > 5

    removed = await remover(redis, namespace).remove(portal_id)

    assert removed == Removal(
        portal_id=portal_id, marks=1, dead_letters=1, records=2, events=0, notices=1
    )
    assert await named(redis, portal_id) == []
    assert owners(await entries(redis, namespace, 0)) == [str(portal_id)] * 2 + ["notice"]
    assert await desk.context.ledger.strangers() == frozenset()


async def test_others_keep_everything(redis: Redis, namespace: str) -> None:
    """Another account, whose number begins alike, keeps its marks, records, letters and events."""
    ledger, stream = Ledger(redis, namespace, QUICK), Stream(redis, namespace, QUICK, 2)
    await stream.prepare()
    for portal_id in (PORTAL, OTHER):
        await ledger.connect(portal_id)
        await ledger.mark(
            [Mark(portal_id, "1", ())],
            [DeadLetter(reason="x", error="y", raw=b"z", portal_id=portal_id)],
        )
        await publish(stream, portal_id, 5)

    await remover(redis, namespace).remove(PORTAL, now=True)

    assert await stream.records.count(PORTAL) == 0
    assert await stream.records.count(OTHER) == 5
    assert await redis.xlen(f"{namespace}:calls:dead") == 1
    assert [call.call_id for call in (await ledger.claim(OTHER)).calls] == ["1"]
    left = [*await entries(redis, namespace, 0), *await entries(redis, namespace, 1)]
    assert sorted(owners(left)) == [str(OTHER)] * 5 + ["notice"] * 2


async def test_every_stream_gets_one_notice(redis: Redis, namespace: str) -> None:
    """The notice names account, partition and, where events were deleted, their range."""
    stream = Stream(redis, namespace, QUICK, 2)
    await stream.prepare()
    await Ledger(redis, namespace, QUICK).connect(PORTAL)
    await publish(stream, PORTAL, 6)
    ranges = [
        [entry_id for entry_id, _ in await redis.xrange(f"{namespace}:calls:{{{partition}}}")]
        for partition in (0, 1)
    ]

    await remover(redis, namespace).remove(PORTAL, now=True)

    for partition in (0, 1):
        (fields,) = await entries(redis, namespace, partition)
        event = decode(fields)
        assert isinstance(event, NoticeEvent)
        assert event.type == ACCOUNT_REMOVED
        assert (event.data.portal_id, event.data.partition) == (PORTAL, partition)
        assert event.source == f"/callstream/{namespace}/hubspot/portals/{PORTAL}"
        deleted = [event.data.first_id, event.data.last_id]
        assert deleted == [ranges[partition][at].decode() for at in (0, -1)]
        assert b"partitionkey" not in fields
        assert b"sequence" not in fields


@pytest.mark.parametrize("calls", [3, 7, 8, 9, 700])
async def test_records_of_any_number_are_forgotten(
    redis: Redis, namespace: str, calls: int
) -> None:
    """Records are forgotten in the table that small accounts share, and in one of many buckets."""
    stream = Stream(redis, namespace, QUICK, 1)
    await stream.prepare()
    await publish(stream, OTHER, 3)
    await publish(stream, PORTAL, calls)
    streamed = Streamed(redis, namespace, PORTAL)
    assert await streamed.count(0) == calls

    await streamed.forget(0)

    assert await streamed.count(0) == 0
    assert await stream.records.count(OTHER) == 3
    assert await redis.keys(f"{namespace}:records:*:{PORTAL}*") == []
    shared = f"{namespace}:records:{{0}}:small"
    assert await command(redis, "HGET", shared, "count") == b"3"
    await publish(stream, PORTAL, 2)
    assert await streamed.count(0) == 2


async def test_a_claim_is_waited_for(redis: Redis, namespace: str) -> None:
    """What is being read when the account is removed is let end: it might yet be published."""
    ledger, stream = Ledger(redis, namespace, QUICK), Stream(redis, namespace, QUICK, 1)
    await stream.prepare()
    await ledger.connect(PORTAL)
    await ledger.mark([Mark(PORTAL, "1", ())])
    claim = await ledger.claim(PORTAL)

    removing = asyncio.create_task(remover(redis, namespace).remove(PORTAL))

    async def closed() -> bool:
        return await command(redis, "HGET", f"{namespace}:ledger:{PORTAL}", "open") == b"0"

    await until(closed)
    await publish(stream, PORTAL, 1)
    assert not removing.done()
    await ledger.settle(PORTAL, claim.token, [Done("1")])
    await removing
    assert await stream.records.count(PORTAL) == 0
    assert await redis.keys(f"{namespace}:ledger:{PORTAL}*") == []


async def test_a_dead_claim_holds_up_for_its_lease_only(redis: Redis, namespace: str) -> None:
    """A claim whose worker died is waited for until its lease has run out."""
    timing = Timing(quiet_ms=0, pace_ms=0, lease_ms=100)
    ledger = Ledger(redis, namespace, timing)
    await ledger.connect(PORTAL)
    await ledger.mark([Mark(PORTAL, "1", ())])
    await ledger.claim(PORTAL)
    async with asyncio.timeout(5):
        removed = await remover(redis, namespace, timing).remove(PORTAL)
    assert removed.marks == 1


async def test_an_interrupted_removal_goes_on(redis: Redis, namespace: str) -> None:
    """A removal that was cut off half-way goes on when repeated; its notices have the same ids."""
    stream = Stream(redis, namespace, QUICK, 2)
    await stream.prepare()
    await Ledger(redis, namespace, QUICK).connect(PORTAL)
    await publish(stream, PORTAL, 4)
    clock = f"{namespace}:calls:{{1}}"
    held = await redis.dump(clock)
    await command(redis, "DEL", clock)
    await command(redis, "SET", clock, "no stream")
    with pytest.raises(Exception, match="WRONGTYPE"):
        await remover(redis, namespace).remove(PORTAL)
    await redis.restore(clock, 0, held, replace=True)

    again = await remover(redis, namespace).remove(PORTAL)

    assert again.notices == 2
    ids = [
        fields[b"id"]
        for partition in (0, 1)
        for fields in await entries(redis, namespace, partition)
        if fields[b"type"].decode() == ACCOUNT_REMOVED
    ]
    assert len(ids) == 3
    assert len(set(ids)) == 2
    assert await redis.keys(f"{namespace}:accounts:*") == []


async def test_an_account_that_nobody_knows(redis: Redis, namespace: str) -> None:
    """Nothing is done, and nobody told, about an account of which nothing is known."""
    await Stream(redis, namespace, QUICK, 1).prepare()
    assert await remover(redis, namespace).remove(777) == Removal(portal_id=777)
    assert await entries(redis, namespace, 0) == []


async def test_an_unknown_accounts_marks_go(redis: Redis, namespace: str) -> None:
    """The marks of an account that never was connected can be removed as well."""
    ledger = Ledger(redis, namespace, QUICK)
    await ledger.mark([Mark(777, "1", ()), Mark(777, "2", ())])
    assert (await remover(redis, namespace).remove(777)).marks == 2
    assert await ledger.strangers() == frozenset()
