"""Each transition of a call in the ledger: idle, due, leased."""

from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import HARD_BYTES, Hint, unpack
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Claim, Dead, Done, Later, Mark
from jobs.ledger.wire import BATCH
from jobs.timing import Timing

PORTAL = 62515
CHANGED = Hint("propertyChange", 1_000, "hs_call_title")
DELETED = Hint("deletion", 2_000)
AN_HOUR = 3_600_000

MakeLedger = Callable[..., Ledger]


@pytest.fixture
def make_ledger(redis: Redis, namespace: str) -> MakeLedger:
    """Makes ledgers on one Redis that differ in their waits; without any, marks are due at once."""

    def make(*, quiet_ms: int = 0, lease_ms: int = AN_HOUR) -> Ledger:
        timing = Timing(quiet_ms=quiet_ms, recent_ms=AN_HOUR, pace_ms=0, lease_ms=lease_ms)
        return Ledger(redis, namespace, timing)

    return make


@pytest.fixture
async def ledger(make_ledger: MakeLedger) -> Ledger:
    """A ledger whose portal is connected."""
    ledger = make_ledger()
    await ledger.connect(PORTAL)
    return ledger


async def mark(ledger: Ledger, *hints: Hint, call_id: str = "512") -> None:
    """Mark one call."""
    await ledger.mark([Mark(PORTAL, call_id, hints or (CHANGED,))])


async def claim(ledger: Ledger) -> Claim:
    """Claim what is due."""
    return await ledger.claim(PORTAL, side_by_side=100)


def hints_of(claimed: Claim) -> set[Hint]:
    """Return the hints of all claimed calls."""
    return {hint for call in claimed.calls for hint in unpack(call.hints).hints}


async def test_idle_call_becomes_due_at_once(ledger: Ledger) -> None:
    """A mark on an idle call makes it claimable at once, with its hints and no memo."""
    await mark(ledger, CHANGED, DELETED)
    claimed = await claim(ledger)
    assert [call.call_id for call in claimed.calls] == ["512"]
    assert hints_of(claimed) == {CHANGED, DELETED}
    assert claimed.calls[0].memo == ""


async def test_nothing_due_claims_nothing(ledger: Ledger) -> None:
    """A claim of a portal without due calls has no token."""
    claimed = await claim(ledger)
    assert claimed.token == ""
    assert claimed.calls == []


async def test_marks_of_a_due_call_fold_into_one(ledger: Ledger) -> None:
    """A second mark adds its hints to the due call; the same hint is kept once."""
    await mark(ledger, CHANGED)
    await mark(ledger, DELETED)
    await mark(ledger, CHANGED)
    claimed = await claim(ledger)
    assert len(claimed.calls) == 1
    assert unpack(claimed.calls[0].hints).hints == (CHANGED, DELETED)


async def test_leased_call_is_not_claimed_twice(ledger: Ledger) -> None:
    """A leased call has one reader, also when it is marked meanwhile."""
    await mark(ledger)
    await claim(ledger)
    await mark(ledger, DELETED)
    assert (await claim(ledger)).token == ""


async def test_tokens_are_unique(ledger: Ledger) -> None:
    """No two claims have the same token."""
    tokens: set[str] = set()
    for _ in range(5):
        await mark(ledger)
        claimed = await claim(ledger)
        tokens.add(claimed.token)
        await ledger.settle(PORTAL, claimed.token, [Done("512")])
    assert len(tokens) == 5


async def test_done_without_new_marks_is_idle(ledger: Ledger, redis: Redis) -> None:
    """A settled call leaves nothing behind but the memory of its claim time."""
    await mark(ledger)
    claimed = await claim(ledger)
    await ledger.settle(PORTAL, claimed.token, [Done("512")])
    assert (await claim(ledger)).token == ""
    left = {key.rpartition(b":")[2] for key in await redis.keys(f"*:ledger:{PORTAL}:*")}
    assert left <= {b"recent", b"bells"}


async def test_done_after_new_mark_is_due_with_the_new_hints(ledger: Ledger) -> None:
    """A mark that came during the lease survives its end, with its own hints only."""
    await mark(ledger, CHANGED)
    claimed = await claim(ledger)
    await mark(ledger, DELETED)
    await ledger.settle(PORTAL, claimed.token, [Done("512")])
    assert hints_of(await claim(ledger)) == {DELETED}


async def test_later_waits_and_keeps_the_memo(ledger: Ledger) -> None:
    """A call put off is not due before its time; a new mark brings it forward with the memo."""
    await mark(ledger)
    claimed = await claim(ledger)
    await ledger.settle(PORTAL, claimed.token, [Later("512", AN_HOUR, "memo")])
    assert (await claim(ledger)).token == ""
    await mark(ledger, DELETED)
    claimed = await claim(ledger)
    assert claimed.calls[0].memo == "memo"
    assert hints_of(claimed) == {DELETED}


async def test_later_without_memo_keeps_all_hints(ledger: Ledger) -> None:
    """Work handed back untouched keeps the claimed hints and those that came meanwhile."""
    await mark(ledger, CHANGED)
    claimed = await claim(ledger)
    await mark(ledger, DELETED)
    await ledger.settle(PORTAL, claimed.token, [Later("512", AN_HOUR)])
    assert hints_of(await claim(ledger)) == {CHANGED, DELETED}


async def test_later_after_new_mark_is_due_at_once(ledger: Ledger) -> None:
    """A mark that came during the lease outweighs the wait that the reader asked for."""
    await mark(ledger)
    claimed = await claim(ledger)
    await mark(ledger)
    await ledger.settle(PORTAL, claimed.token, [Later("512", AN_HOUR, "memo")])
    assert [call.call_id for call in (await claim(ledger)).calls] == ["512"]


async def test_dead_call_is_set_aside_and_forgotten(ledger: Ledger, redis: Redis) -> None:
    """A dead call's letter, with its bytes, is written in the step that forgets the call."""
    letter = DeadLetter(reason="undecodable-call", error="$.id", raw=b"\x00\xff", call_id="512")
    await mark(ledger)
    claimed = await claim(ledger)
    await ledger.settle(PORTAL, claimed.token, [Dead("512", letter)])
    assert (await claim(ledger)).token == ""
    entries = await redis.xrange("tenant-1:calls:dead")
    assert [entry[1][b"raw"] for entry in entries] == [b"\x00\xff"]
    assert entries[0][1][b"reason"] == b"undecodable-call"


async def test_dead_call_that_was_marked_again_is_due(ledger: Ledger) -> None:
    """A mark that came during the lease gives a dead call another life."""
    letter = DeadLetter(reason="undecodable-call", error="", raw=b"{}")
    await mark(ledger, CHANGED)
    claimed = await claim(ledger)
    await mark(ledger, DELETED)
    await ledger.settle(PORTAL, claimed.token, [Dead("512", letter)])
    assert hints_of(await claim(ledger)) == {DELETED}


async def test_stale_token_settles_nothing(ledger: Ledger, make_ledger: MakeLedger) -> None:
    """A claim whose lease another took over has no say, and writes no dead letter."""
    lapsing = make_ledger(lease_ms=0)
    await mark(ledger, CHANGED)
    stale = await claim(lapsing)
    await mark(ledger, DELETED)
    holder = await claim(ledger)
    letter = DeadLetter(reason="refused", error="", raw=b"")
    for verdict in (Done("512"), Later("512", 0, "stale"), Dead("512", letter)):
        await ledger.settle(PORTAL, stale.token, [verdict])
    assert hints_of(holder) == {CHANGED, DELETED}
    assert await ledger.renew(PORTAL, holder.token, ["512"]) == 1
    await ledger.settle(PORTAL, holder.token, [Done("512")])
    assert (await claim(ledger)).token == ""


async def test_expired_lease_is_claimed_anew_with_all_hints(
    ledger: Ledger, make_ledger: MakeLedger
) -> None:
    """A reader that died loses its calls to the next claim, hints of both buckets together."""
    await mark(ledger, CHANGED)
    await claim(make_ledger(lease_ms=0))
    await mark(ledger, DELETED)
    claimed = await claim(ledger)
    assert hints_of(claimed) == {CHANGED, DELETED}
    await ledger.settle(PORTAL, claimed.token, [Done("512")])
    assert (await claim(ledger)).token == ""


async def test_renewal_extends_only_what_is_held(ledger: Ledger, make_ledger: MakeLedger) -> None:
    """Renewing keeps the lease alive; a token that lost its calls renews none."""
    await mark(ledger)
    claimed = await claim(make_ledger(lease_ms=0))
    assert await ledger.renew(PORTAL, claimed.token, ["512", "513"]) == 1
    assert (await claim(ledger)).token == ""
    assert await ledger.renew(PORTAL, "0", ["512"]) == 0


async def test_quiet_rule_folds_a_burst(redis: Redis, make_ledger: MakeLedger) -> None:
    """A call that was claimed less than the quiet time ago is due only when that has passed."""
    ledger = make_ledger(quiet_ms=AN_HOUR)
    await ledger.connect(PORTAL)
    await mark(ledger)
    claimed = await claim(ledger)
    await ledger.settle(PORTAL, claimed.token, [Done("512")])
    await mark(ledger)
    assert (await claim(ledger)).token == ""
    due_at = await redis.zscore(f"tenant-1:ledger:{PORTAL}:due", "512")
    assert due_at == claimed.claimed_at + AN_HOUR


async def test_oldest_due_calls_are_claimed_first(ledger: Ledger) -> None:
    """A claim takes at most one batch, the calls that became due first."""
    for part in range(3):
        ids = range(part * 50, part * 50 + 50)
        await ledger.mark([Mark(PORTAL, str(1000 + number), (CHANGED,)) for number in ids])
    first = [int(call.call_id) for call in (await claim(ledger)).calls]
    rest = [int(call.call_id) for call in (await claim(ledger)).calls]
    assert len(first) == BATCH
    assert len(rest) == 50
    assert max(first[:50]) < min(rest)


async def test_malformed_notification_and_marks_commit_together(
    ledger: Ledger, redis: Redis
) -> None:
    """One script call takes the good marks and sets the bad notification aside."""
    letter = DeadLetter(reason="malformed-notification", error="no objectId", raw=b'{"a":1}')
    await ledger.mark([Mark(PORTAL, "512", (CHANGED,))], [letter, letter])
    assert len((await claim(ledger)).calls) == 1
    assert await redis.xlen("tenant-1:calls:dead") == 2


async def test_thousands_of_marks_in_one_commit(ledger: Ledger, redis: Redis) -> None:
    """A commit may carry more calls than Lua could pass in one command."""
    ids = [str(100_000_000_000 + number) for number in range(20_000)]
    await ledger.mark([Mark(PORTAL, call_id, (CHANGED,)) for call_id in ids])
    assert await redis.zcard(f"tenant-1:ledger:{PORTAL}:due") == 20_000


async def test_hints_of_a_call_are_bounded(ledger: Ledger) -> None:
    """A flood of changes is cut with the latest dropped time; decisive kinds still fit."""
    for number in range(200):
        await mark(ledger, Hint("propertyChange", 10_000 + number, f"property_{number}"))
    await mark(ledger, DELETED)
    bucket = unpack((await claim(ledger)).calls[0].hints)
    assert len(bucket.hints) < 150
    assert bucket.dropped_until == 10_199
    assert DELETED in bucket.hints


def changes(count: int, *, start: int = 0) -> list[Hint]:
    """Return changes of so many properties, one after the other."""
    return [
        Hint("propertyChange", 10_000 + n, f"property_{n}") for n in range(start, start + count)
    ]


async def test_first_flood_is_cut_and_not_dropped(ledger: Ledger) -> None:
    """More changes than a bucket takes, marked at once, fill it and leave their latest time."""
    await mark(ledger, *changes(200), DELETED)
    bucket = unpack((await claim(ledger)).calls[0].hints)
    assert len(bucket.hints) > 30
    assert bucket.dropped_until == 10_199
    assert DELETED in bucket.hints


async def test_hints_stay_bounded_while_reads_fail(ledger: Ledger) -> None:
    """A call that is marked during each of many failing reads keeps one bucket's worth of hints."""
    await mark(ledger)
    for attempt in range(5):
        claimed = await claim(ledger)
        await mark(ledger, *changes(40, start=40 * attempt))
        await mark(ledger, Hint("deletion", attempt))
        await ledger.settle(PORTAL, claimed.token, [Later("512")])
    hints = (await claim(ledger)).calls[0].hints
    assert len(hints) <= HARD_BYTES + 20
    assert unpack(hints).dropped_until == 10_199
    assert sum(hint.kind == "deletion" for hint in unpack(hints).hints) == 5


async def test_lost_counter_gives_no_token_twice(ledger: Ledger, redis: Redis) -> None:
    """A claim of before a restart that lost Redis' last second cannot settle one of after it."""
    await mark(ledger)
    old = await claim(ledger)
    await redis.flushall()
    await ledger.connect(PORTAL)
    await mark(ledger)
    assert (await claim(ledger)).calls
    await ledger.settle(PORTAL, old.token, [Done("512")])
    assert await redis.zcard(f"tenant-1:ledger:{PORTAL}:leases") == 1
