"""Portals that are not open: known by their marks, and left alone by claims that outlive them."""

from redis.asyncio import Redis

from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Later, Mark, Outcome
from jobs.redis import command
from jobs.timing import Timing

PORTAL = 62515
MARK = Mark(PORTAL, "512", ())
QUICK = Timing(quiet_ms=0, pace_ms=0)


async def test_a_portal_with_marks_and_no_door_is_a_stranger(redis: Redis, namespace: str) -> None:
    """Marks of a portal that is not connected make it a stranger until it is."""
    ledger = Ledger(redis, namespace, QUICK)
    assert await ledger.strangers() == frozenset()
    assert await ledger.mark([MARK]) == []
    assert await ledger.strangers() == {PORTAL}
    (bell,) = await ledger.connect(PORTAL)
    assert bell.portal_id == PORTAL
    assert await ledger.strangers() == frozenset()
    await ledger.mark([MARK])
    assert await ledger.strangers() == frozenset()


async def test_a_disconnected_portal_keeps_its_marks(redis: Redis, namespace: str) -> None:
    """Marks of before and after it are claimed once the portal is connected again."""
    ledger = Ledger(redis, namespace, QUICK)
    await ledger.connect(PORTAL)
    await ledger.mark([MARK])
    await ledger.disconnect(PORTAL, "no token")
    assert await ledger.mark([Mark(PORTAL, "513", ())]) == []
    assert (await ledger.claim(PORTAL)).token == ""
    assert await ledger.sweep("worker", "queue") == []
    await ledger.connect(PORTAL)
    claim = await ledger.claim(PORTAL)
    assert {call.call_id for call in claim.calls} == {"512", "513"}


async def test_a_claim_that_ends_later_changes_nothing(redis: Redis, namespace: str) -> None:
    """What a claim has to say of a portal that was disconnected meanwhile is not taken down."""
    ledger = Ledger(redis, namespace, QUICK)
    await ledger.connect(PORTAL)
    await ledger.mark([MARK])
    claim = await ledger.claim(PORTAL)
    await ledger.disconnect(PORTAL, "refresh token refused")
    await ledger.settle(
        PORTAL, claim.token, [Later("512")], Outcome("failed", 60_000, "unauthorised")
    )
    room = f"{namespace}:ledger:{PORTAL}"
    assert await command(redis, "HGET", room, "why") == b"refresh token refused"
    assert await command(redis, "HMGET", room, "asleep_until", "failures") == [None, None]
    await ledger.connect(PORTAL)
    assert (await ledger.claim(PORTAL)).calls


async def test_a_late_doorbell_leaves_no_trace(redis: Redis) -> None:
    """A doorbell of a portal that the ledger does not know writes nothing."""
    assert (await Ledger(redis, "", QUICK).claim(PORTAL, "7:1")).token == ""
    assert await redis.keys() == []
