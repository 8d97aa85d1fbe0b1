"""Dead letters in Redis: listed without their bytes, dropped, and replayed as marks."""

import asyncio
import contextlib
from typing import cast

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from jobs.config.values import Secret
from jobs.deadletters import bulk
from jobs.deadletters.box import AT_ONCE, Box
from jobs.deadletters.envelope import OPEN, Envelope
from jobs.deadletters.letters import Selection, is_letter_id, letter_of
from jobs.deadletters.times import TimeError, moment_ms
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import unpack
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Bell
from jobs.redis import command
from tests.support.letters import QUICK, SECRET, all_of, box_of, bury, letter


@pytest.fixture
def box(redis: Redis, namespace: str) -> Box:
    """All dead letters of the namespace."""
    return box_of(redis, namespace)


@pytest.fixture
def ledger(redis: Redis, namespace: str) -> Ledger:
    """The ledger beside them."""
    return Ledger(redis, namespace, QUICK)


async def silent(_bells: object) -> None:
    """Ring nothing."""


async def marked(redis: Redis, portal_id: int) -> set[bytes]:
    """Return the account's calls that wait to be read."""
    answer = await command(redis, "ZRANGE", f"tenant-1:ledger:{portal_id}:due", 0, -1)
    return set(cast("list[bytes]", answer))


async def test_a_letter_tells_all_but_its_bytes(redis: Redis, namespace: str, box: Box) -> None:
    """Reason, both errors, attempts, origin and place are told; the bytes only when asked for."""
    await bury(redis, namespace, letter("512"))
    (found,) = await all_of(box)
    assert (found.reason, found.error, found.first_error) == (
        "refused",
        "HubSpot refuses it",
        "something else",
    )
    assert (found.portal_id, found.call_id, found.attempts, found.origin) == (
        1,
        "512",
        3,
        "webhook",
    )
    assert found.first_at == "2025-11-24T16:00:00.000Z"
    assert found.raw_bytes == len(SECRET)
    assert SECRET not in repr(found)
    assert await box.find(found.id) == found
    assert await box.raw(found, OPEN) == SECRET.encode()


async def test_bytes_are_sealed_in_redis(redis: Redis, namespace: str, box: Box) -> None:
    """With TOKEN_KEYS nothing in Redis shows what was said, and the key opens it."""
    envelope = Envelope([Secret(Fernet.generate_key().decode())])
    await Ledger(redis, namespace, QUICK, envelope).mark([], [letter("512")])
    (found,) = await all_of(box)
    assert found.kept == "sealed"
    held = await redis.xrange("tenant-1:calls:dead")
    assert SECRET not in str(held)
    assert await box.raw(found, envelope) == SECRET.encode()


async def test_letters_of_an_older_release(redis: Redis, box: Box) -> None:
    """A letter with the fields of an older release is listed with what it tells."""
    await redis.xadd("tenant-1:calls:dead", {"reason": "refused", "error": "x", "raw": "abc"})
    (found,) = await all_of(box)
    assert (found.first_error, found.kept, found.raw_bytes, found.portal_id) == (
        "x",
        "open",
        3,
        None,
    )
    assert await box.raw(found, OPEN) == b"abc"


async def test_the_newest_come_first_page_by_page(redis: Redis, namespace: str, box: Box) -> None:
    """Pages follow each other without a gap or a repetition, also over many steps."""
    count = 2 * AT_ONCE + 7
    await bury(redis, namespace, *(letter(str(number)) for number in range(1, count + 1)))
    seen: list[str | None] = []
    after: str | None = ""
    while after is not None:
        page = await box.page(Selection(), limit=90, after=after)
        seen += [one.call_id for one in page.letters]
        after = page.after
    assert seen == [str(number) for number in range(count, 0, -1)]


async def test_what_is_meant(redis: Redis, namespace: str, box: Box) -> None:
    """Letters are chosen by reason, account and time, and by all of these at once."""
    await bury(redis, namespace, letter("1"), letter("2", portal_id=2), letter("3", reason="x"))
    await asyncio.sleep(0.005)
    (newest, *_) = await all_of(box)
    later = int(newest.id.partition("-")[0]) + 1
    await bury(redis, namespace, letter("4"))

    async def calls(**wishes: object) -> list[str | None]:
        chosen = await all_of(box, Selection(**wishes))  # type: ignore[arg-type]
        return [one.call_id for one in chosen]

    assert await calls() == ["4", "3", "2", "1"]
    assert await calls(reason="x") == ["3"]
    assert await calls(portal_id=2) == ["2"]
    assert await calls(since_ms=later) == ["4"]
    assert await calls(until_ms=later - 1) == ["3", "2", "1"]
    assert await calls(reason="refused", portal_id=1, until_ms=later - 1) == ["1"]


async def test_a_replay_is_a_mark_once(
    redis: Redis, namespace: str, box: Box, ledger: Ledger
) -> None:
    """A replayed letter is gone in the step that marks its call; done again, nothing happens."""
    await ledger.connect(1)
    await bury(redis, namespace, letter("512"))
    letters = await all_of(box)
    done, bells = await box.replay(letters)
    assert (done.replayed, done.gone, done.left) == (1, 0, 0)
    assert [bell.portal_id for bell in bells] == [1]
    assert await box.count() == 0
    claim = await ledger.claim(1)
    (call,) = claim.calls
    assert call.call_id == "512"
    assert [hint.origin for hint in unpack(call.hints).hints] == ["replay"]

    again, bells = await box.replay(letters)
    assert (again.replayed, again.gone, bells) == (0, 1, [])
    held = await command(redis, "HGET", "tenant-1:ledger:1:held", "512")
    assert cast("bytes", held).split(b":")[1] == b"0"


async def test_two_operators_at_once(redis: Redis, namespace: str, box: Box) -> None:
    """Of two replays at once each letter is counted by one."""
    await bury(redis, namespace, *(letter(str(number)) for number in range(1, 1001)))
    both = await asyncio.gather(*(bulk.replay_all(box, Selection(), silent) for _ in range(2)))
    assert sum(done.replayed for done in both) == 1000
    assert await box.count() == 0
    assert len(await marked(redis, 1)) == 1000


async def test_a_letter_without_a_call_stays(redis: Redis, namespace: str, box: Box) -> None:
    """What names no call cannot be read again: it is counted, and left."""
    await bury(redis, namespace, letter(None), letter("1", portal_id=None), letter("2"))
    done = await bulk.replay_all(box, Selection(), silent)
    assert (done.replayed, done.left) == (1, 2)
    assert await box.count() == 2


async def test_bulk_replay_by_wish_and_in_parts(redis: Redis, namespace: str, box: Box) -> None:
    """Only what is meant is replayed, bells are rung, and a bound says that there is more."""
    await Ledger(redis, namespace, QUICK).connect(2)
    await bury(redis, namespace, *(letter(str(n), portal_id=1 + n % 2) for n in range(1, 21)))
    rung: list[Bell] = []

    async def ring(bells: object) -> None:
        rung.extend(cast("list[Bell]", bells))

    first = await bulk.replay_all(box, Selection(portal_id=2), ring, most=6)
    assert (first.replayed, first.more) == (6, True)
    rest = await bulk.replay_all(box, Selection(portal_id=2), ring, most=6)
    assert (rest.replayed, rest.more) == (4, False)
    assert {bell.portal_id for bell in rung} == {2}
    assert len(await all_of(box)) == 10


async def test_letters_that_come_during_a_replay_stay(
    redis: Redis, namespace: str, box: Box
) -> None:
    """A call that fails again while others are replayed is not replayed in the same go."""
    await bury(redis, namespace, *(letter(str(number)) for number in range(1, AT_ONCE + 2)))

    async def fails_again(_bells: object) -> None:
        await asyncio.sleep(0.002)
        await bury(redis, namespace, letter("again"))

    async with asyncio.timeout(10):
        done = await bulk.replay_all(box, Selection(), fails_again)
    assert done.replayed == AT_ONCE + 1
    assert {one.call_id for one in await all_of(box)} == {"again"}


async def test_drop(redis: Redis, namespace: str, box: Box) -> None:
    """Dropped letters are gone, and nothing is marked; dropping twice counts once."""
    await bury(redis, namespace, letter("1"), letter("2", reason="x"))
    assert (await bulk.drop_all(box, Selection(reason="x"))).dropped == 1
    (left,) = await all_of(box)
    assert left.call_id == "1"
    assert [await box.drop([left.id]), await box.drop([left.id])] == [1, 0]
    assert await marked(redis, 1) == set()


async def test_a_flood_keeps_the_bytes_of_its_first_letters(
    redis: Redis, namespace: str, box: Box
) -> None:
    """Beyond ten thousand letters the bytes of further ones are not kept; they still tell why."""
    pipeline = redis.pipeline(transaction=False)
    for _ in range(10_000):
        pipeline.xadd("tenant-1:calls:dead", {"reason": "x"})
    await pipeline.execute()
    await bury(redis, namespace, letter("512"))
    (newest, *_) = await all_of(box, Selection(reason="refused"))
    assert (newest.call_id, newest.kept, newest.raw_bytes) == ("512", "", 0)


def test_a_letter_names_what_it_has() -> None:
    """Fields that are damaged or unknown count as absent."""
    found = letter_of("5-0", 0, {"portal_id": "x", "attempts": "-1", "kept": "otherwise"})
    assert (found.portal_id, found.attempts, found.kept, found.can_be_replayed) == (
        None,
        0,
        "",
        False,
    )


@given(st.text(max_size=30))
def test_ids_and_times_of_any_form(text: str) -> None:
    """Whatever is typed as an id or a time is taken, or refused in words."""
    is_letter_id(text)
    with contextlib.suppress(TimeError):
        assert moment_ms(text, lambda: 1_764_000_000) >= 0


def test_times() -> None:
    """A time is RFC 3339, or so long ago."""
    assert moment_ms("2025-11-24T16:00:00Z") == 1_764_000_000_000
    assert moment_ms("2h", lambda: 1_764_000_000) == 1_764_000_000_000 - 7_200_000
    for text in ("", "yesterday", "1764000000000", "-1h"):
        with pytest.raises(TimeError):
            moment_ms(text)


def test_a_letter_of_the_ledger_has_its_first_error_by_default() -> None:
    """A letter that failed once has one error, which is its first and its last."""
    once = DeadLetter(reason="x", error="y", raw=b"")
    told = OPEN.fields(once)
    assert told[told.index("first_error") + 1] == "y"
