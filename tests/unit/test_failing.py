"""What becomes of calls that cannot be read or processed: pure."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, OutOfMemoryError, ResponseError

from jobs.ledger.hints import Hint
from jobs.ledger.messages import Dead, Later, Verdict
from jobs.live.failing import (
    RECORD_ATTEMPTS,
    UNFORESEEN,
    after_unforeseen,
    groups,
    is_outage,
    place_of,
    spoiled,
)
from jobs.live.process import GROUPS
from jobs.live.reading import Spoiled
from jobs.live.verdicts import Memo, decode_memo
from jobs.live.work import Work
from jobs.timing import Timing

TIMING = Timing()
NOW = 1_764_000_000_000
REFUSED = Spoiled("refused", "VALIDATION_ERROR", b"{}")
SECRET = "said on a call"


def fresh(call_id: str) -> Work:
    """Return a call that was just marked."""
    return Work(call_id, Memo(), (Hint("creation", 5),), 0)


def again(work: Work, verdict: Verdict) -> Work:
    """Return the call as the next reader finds it."""
    assert isinstance(verdict, Later)
    assert verdict.memo is not None
    memo = decode_memo(verdict.memo)
    return Work(work.call_id, memo, memo.hints, memo.dropped_until)


def tried(work: Work, at: Callable[[int, int], int]) -> tuple[Dead, int, int]:
    """Fail until the call is set aside; return its letter, the tries, and how long it took.

    Args:
        work: the call.
        at: from the time and the wait that was asked for to the next try.
    """
    now, tries = NOW, 1
    verdict = spoiled(work, REFUSED, 1, now, TIMING)
    while isinstance(verdict, Later):
        assert 0 < verdict.wait_ms <= TIMING.record_patience_ms
        work, now, tries = again(work, verdict), at(now, verdict.wait_ms), tries + 1
        verdict = spoiled(work, REFUSED, 1, now, TIMING)
    assert isinstance(verdict, Dead)
    return verdict, tries, now - NOW


def test_a_record_is_tried_for_a_while() -> None:
    """Left alone, a record is tried a few times over half a minute, and told with its history."""
    dead, tries, took_ms = tried(fresh("512"), lambda now, wait_ms: now + wait_ms)
    assert RECORD_ATTEMPTS <= tries <= 6
    assert took_ms == TIMING.record_patience_ms
    assert (dead.letter.attempts, dead.letter.first_at) == (tries, NOW)
    assert (dead.letter.first_error, dead.letter.error) == ("VALIDATION_ERROR",) * 2


def test_marks_do_not_hasten_the_end() -> None:
    """A record that is marked all the time is read more often, and given up no sooner."""
    dead, tries, took_ms = tried(fresh("512"), lambda now, _: now + 250)
    assert took_ms >= TIMING.record_patience_ms
    assert tries > 100
    assert dead.letter.attempts == tries


def test_a_late_worker_tries_often_enough() -> None:
    """However late the tries are, a record is tried a few times."""
    _, tries, _ = tried(fresh("512"), lambda now, _: now + 600_000)
    assert tries == RECORD_ATTEMPTS


def test_the_first_error_is_kept() -> None:
    """A letter tells the first error beside the last one."""
    work = again(fresh("512"), spoiled(fresh("512"), REFUSED, 1, NOW, TIMING))
    other = Spoiled("undecodable-call", "$.id", b"x")
    work = again(work, spoiled(work, other, 1, NOW + 5, TIMING))
    verdict = spoiled(work, other, 1, NOW + TIMING.record_patience_ms, TIMING)
    assert isinstance(verdict, Dead)
    assert (verdict.letter.first_error, verdict.letter.error) == ("VALIDATION_ERROR", "$.id")


@given(st.integers(1, 100), st.sets(st.integers(0, 99), max_size=4))
def test_halving_finds_who_is_to_blame(count: int, wanted: set[int]) -> None:
    """Whoever an unforeseen error is due to is set aside; all the others are processed, soon."""
    offenders = {str(number) for number in wanted if number < count}
    works = {str(number): fresh(str(number)) for number in range(count)}
    now, claims, dead = NOW, 0, set[str]()
    while works:
        claims += 1
        for group in groups(list(works.values()))[:GROUPS]:
            ids = {work.call_id for work in group}
            if not ids & offenders:
                for call_id in ids:
                    del works[call_id]
                continue
            for verdict in after_unforeseen(group, ValueError(SECRET), 1, now, TIMING):
                if isinstance(verdict, Dead):
                    dead.add(verdict.call_id)
                    del works[verdict.call_id]
                else:
                    works[verdict.call_id] = again(works[verdict.call_id], verdict)
        now += 5_000
        assert claims < 30
    assert dead == offenders


@given(st.lists(st.integers(0, 50), max_size=100))
def test_groups_are_no_larger_than_their_calls_allow(sizes: list[int]) -> None:
    """Every call is in one group, which is no larger than any of its calls may be in."""
    works = [
        msgspec.structs.replace(fresh(str(number)), memo=Memo(together=size))
        for number, size in enumerate(sizes)
    ]
    made = groups(works)
    assert sorted(work.call_id for group in made for work in group) == sorted(
        work.call_id for work in works
    )
    for group in made:
        bounds = [work.memo.together for work in group if work.memo.together]
        assert not bounds or len(group) <= min(bounds)


def test_an_unforeseen_error_is_told_without_its_words() -> None:
    """What is kept of an error is its kind and its place: its words may repeat a value."""
    try:
        decode_memo(SECRET)
    except ValueError as error:
        told = place_of(error)
    else:
        pytest.fail("that is no memo")
    assert SECRET not in told
    assert "DecodeError in verdicts.py, line " in told
    assert place_of(ValueError(SECRET)) == "ValueError"
    verdict = after_unforeseen([fresh("1")], ValueError(SECRET), 1, NOW, TIMING)[0]
    assert SECRET not in repr(verdict)


def test_an_unforeseen_letter_has_its_reason() -> None:
    """A call that alone meets an unforeseen error is set aside under a reason of its own."""
    work = msgspec.structs.replace(
        fresh("1"), memo=Memo(attempts=RECORD_ATTEMPTS, failed_at=1, together=1)
    )
    (verdict,) = after_unforeseen([work], ValueError(), 1, NOW, TIMING)
    assert isinstance(verdict, Dead)
    assert verdict.letter.reason == UNFORESEEN


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RedisConnectionError("gone"), True),
        (OutOfMemoryError("command not allowed"), True),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), True),
        (ResponseError("ERR unknown command"), True),
        (DataError("Invalid input of type: 'NoneType'"), False),
        (
            ResponseError(
                "Error running script (call to f_1): @user_script:1: -OOM command not allowed"
            ),
            True,
        ),
        (
            ResponseError("user_script:90: bad argument #2 to 'unpack' (data string too short)"),
            False,
        ),
    ],
)
def test_whose_fault_an_answer_of_redis_is(error: Exception, *, expected: bool) -> None:
    """A script that stumbles over what it was given is no outage; a server that cannot write is."""
    assert is_outage(error) is expected
