"""What has waited too long: marks of accounts that nobody connects, and old dead letters."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator
from typing import cast

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs.deadletters.envelope import OPEN
from jobs.ledger.aging import AT_ONCE, Aging, GivenUp
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Later, Mark
from jobs.live.aging import age_forever
from jobs.redis import command
from tests.support.desk import QUICK, Desk
from tests.support.letters import all_of, box_of, bury, letter
from tests.support.waiting import until

PORTAL, HOUR = 777, 3_600_000
SAID = (Hint("creation", 1),)


@pytest.fixture
def ledger(redis: Redis, namespace: str) -> Ledger:
    """The ledger, its marks due at once."""
    return Ledger(redis, namespace, QUICK)


@pytest.fixture
def aging(redis: Redis, namespace: str, ledger: Ledger) -> Aging:
    """What grows old in it."""
    return Aging(redis, namespace, ledger)


def letter_fields(call_id: str) -> list[bytes | str]:
    """Return a letter as its stream entry's fields."""
    return OPEN.fields(letter(call_id))


async def mark(ledger: Ledger, *call_ids: int) -> None:
    """Mark calls of the account."""
    await ledger.mark([Mark(PORTAL, str(call_id), SAID) for call_id in call_ids])


async def grow_old(redis: Redis, room: str = "due", ms: int = 2 * HOUR) -> None:
    """Let what lies in a room of the account have come earlier than it did."""
    key = f"tenant-1:ledger:{PORTAL}:{room}"
    for call_id in cast("list[bytes]", await command(redis, "ZRANGE", key, 0, -1)):
        await command(redis, "ZINCRBY", key, -ms, call_id)


async def rooms(redis: Redis) -> list[bytes]:
    """Return the account's keys in the ledger."""
    return [key async for key in redis.scan_iter(match=f"tenant-1:ledger:{PORTAL}*")]


async def test_old_marks_of_an_unknown_account_go(
    redis: Redis, ledger: Ledger, aging: Aging
) -> None:
    """Marks older than the bound go with all that was said, and are counted; others stay."""
    await mark(ledger, *range(1, AT_ONCE + 6))
    await grow_old(redis)
    await mark(ledger, 5_000)
    assert await aging.give_up(PORTAL, HOUR) == GivenUp(AT_ONCE + 5, was_connected=False)
    assert await command(redis, "ZRANGE", f"tenant-1:ledger:{PORTAL}:due", 0, -1) == [b"5000"]
    assert await command(redis, "HKEYS", f"tenant-1:ledger:{PORTAL}:hints") == [b"5000"]
    assert await aging.given_up() == {PORTAL: AT_ONCE + 5}
    assert await ledger.strangers() == {PORTAL}
    assert (await aging.give_up(PORTAL, 0)).marks == 1
    assert await rooms(redis) == []
    assert await ledger.strangers() == frozenset()
    assert await aging.given_up() == {PORTAL: AT_ONCE + 6}


async def test_a_mark_s_age_counts_from_the_first_of_its_call(
    redis: Redis, ledger: Ledger, aging: Aging
) -> None:
    """Marks that repeat do not keep a call for ever."""
    await mark(ledger, 1)
    await grow_old(redis)
    await mark(ledger, 1)
    assert (await aging.give_up(PORTAL, HOUR)).marks == 1


async def test_a_connected_account_keeps_its_marks(ledger: Ledger, aging: Aging) -> None:
    """However old, marks of an account that is connected, or was connected meanwhile, stay."""
    await mark(ledger, 1)
    await ledger.connect(PORTAL)
    await ledger.sleep(PORTAL, HOUR, "unauthorised")
    assert await aging.give_up(PORTAL, 0) == GivenUp(0, was_connected=True)
    await ledger.wake(PORTAL)
    assert len((await ledger.claim(PORTAL)).calls) == 1


async def test_marks_of_a_disconnected_account_go(
    redis: Redis, ledger: Ledger, aging: Aging
) -> None:
    """Marks from before the disconnection go as well, also those that a dead worker held."""
    await ledger.connect(PORTAL)
    await mark(ledger, 1, 2)
    claim = await ledger.claim(PORTAL)
    await ledger.settle(PORTAL, claim.token, [Later("1", 0, "memo")])
    await ledger.disconnect(PORTAL, "uninstalled")
    await grow_old(redis)
    await grow_old(redis, "leases")
    assert await aging.give_up(PORTAL, HOUR) == GivenUp(2, was_connected=True)
    for room in ("due", "leases", "held", "hints", "memo"):
        assert await command(redis, "EXISTS", f"tenant-1:ledger:{PORTAL}:{room}") == 0
    assert await ledger.strangers() == frozenset()


async def test_old_letters_go(redis: Redis, namespace: str, aging: Aging) -> None:
    """Dead letters go when they are older than the bound, and no sooner."""
    long_ago = letter_fields("1")
    await command(redis, "XADD", f"{namespace}:calls:dead", "1764000000000-0", *long_ago)
    await bury(redis, namespace, letter("2"))
    assert await aging.drop_letters(200 * 365 * 24 * HOUR) == 0
    assert await aging.drop_letters(HOUR) == 1
    assert [one.call_id for one in await all_of(box_of(redis, namespace))] == ["2"]


@contextlib.asynccontextmanager
async def growing_old(desk: Desk) -> AsyncGenerator[None]:
    """Let go of what is older than no time at all, every few milliseconds."""
    settings = replace(desk.context.settings, mark_max_age=0, dead_letter_max_age=0)
    desk.set_timing(replace(QUICK, aging_every_ms=5))
    desk.context = dataclasses.replace(desk.context, settings=settings)
    task = asyncio.create_task(age_forever(desk.context))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.one_redis
async def test_the_task_tells_what_it_gives_up(desk: Desk, redis: Redis, namespace: str) -> None:
    """What is given up is logged; an account that was connected is compared as a whole later."""
    await mark(desk.context.ledger, 1, 2)
    await desk.mark(3)
    await desk.context.ledger.disconnect(desk.portal_id, "uninstalled")
    await bury(redis, namespace, letter("1"))
    with capture_logs() as logs:
        async with growing_old(desk):

            async def is_done() -> bool:
                said = [entry["event"] for entry in logs]
                return len(said) >= 3 and "old dead letters dropped" in said

            await until(is_done)
    told = {entry["portal_id"]: entry for entry in logs if "marks given up" in entry["event"]}
    assert told[PORTAL]["marks"] == 2
    assert told[PORTAL]["log_level"] == "warning"
    assert told[desk.portal_id]["marks"] == 1
    assert "old dead letters dropped" in {entry["event"] for entry in logs}
    asked = f"{namespace}:reconciliation:{desk.portal_id}"
    order = await command(redis, "HGET", asked, "asked")
    assert b'"full":true' in cast("bytes", order)
    assert await command(redis, "EXISTS", f"{namespace}:reconciliation:{PORTAL}") == 0
