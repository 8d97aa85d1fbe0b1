"""What becomes of calls that cannot be read or processed, while others can: pure.

A record that fails alone is tried again over some time, then set aside. An error that nobody
foresaw says nothing of which call is to blame: the calls that met it are taken in ever smaller
groups until it stands alone. How far that has come is kept with each call, so that any worker goes
on from there.
"""

import re
import traceback
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

import msgspec
from redis.exceptions import DataError, ResponseError

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.messages import Dead, Later, Verdict
from jobs.live.reading import Spoiled
from jobs.live.verdicts import Memo, doubling, encode_memo
from jobs.live.work import Work
from jobs.timing import Timing

RECORD_ATTEMPTS: Final = 3
"""A record is set aside after so many failures in a row, over at least `record_patience_ms`."""
UNFORESEEN: Final = "unforeseen-error"
"""The reason on letters about calls that only our own code stumbles over."""

_OURS: Final = "jobs"
# What a script met, as Redis words it, when it is the server that could not: not the call's fault.
_OUTAGE: Final = re.compile(
    r"\b(?:OOM|READONLY|MISCONF|NOREPLICAS|MASTERDOWN|LOADING|BUSY|NOPERM|CLUSTERDOWN|TRYAGAIN)\b"
)


def spoiled(work: Work, answer: Spoiled, portal_id: int, now: int, timing: Timing) -> Verdict:
    """Return the verdict on a call that alone cannot be read: tried for a while, then set aside.

    Args:
        work: the call.
        answer: why it cannot be read.
        portal_id: whose call it is.
        now: Redis' epoch ms.
        timing: how long it is tried. Marks that come meanwhile hasten a try, not the end.
    """
    memo = msgspec.structs.replace(
        work.memo,
        hints=work.hints,
        dropped_until=work.dropped_until,
        attempts=work.memo.attempts + 1,
        first_error=work.memo.first_error or answer.error,
        failed_at=work.memo.failed_at or now,
        paging=False,  # a cursor may be to blame: from the beginning
    )
    left_ms = memo.failed_at + timing.record_patience_ms - now
    if memo.attempts < RECORD_ATTEMPTS or left_ms > 0:
        wait_ms = doubling(memo.attempts, timing.record_retry_ms, timing.record_patience_ms)
        return Later(work.call_id, min(wait_ms, max(left_ms, 1)), encode_memo(memo))
    letter = DeadLetter(
        reason=answer.reason,
        error=answer.error,
        raw=answer.raw,
        origin=work.hints[0].origin if work.hints else "webhook",
        portal_id=portal_id,
        call_id=work.call_id,
        attempts=memo.attempts,
        first_error=memo.first_error,
        first_at=memo.failed_at,
    )
    return Dead(work.call_id, letter)


def groups(works: Sequence[Work]) -> list[list[Work]]:
    """Return the calls in groups that may be taken together: nearly always there is one."""
    free = [work for work in works if not work.memo.together]
    suspects = [work for work in works if work.memo.together]
    suspects.sort(key=lambda work: -work.memo.together)
    found = [free] if free else []
    current: list[Work] = []
    for work in suspects:
        if not current or len(current) >= work.memo.together:
            current = []
            found.append(current)
        current.append(work)
    return found


def after_unforeseen(
    works: Sequence[Work], error: Exception, portal_id: int, now: int, timing: Timing
) -> list[Verdict]:
    """Return the verdicts on calls whose processing met an error that nobody foresaw.

    Several are taken in groups of half as many from now on; one alone is to blame.
    """
    if len(works) == 1:
        answer = Spoiled(UNFORESEEN, place_of(error))
        return [spoiled(works[0], answer, portal_id, now, timing)]
    return [_apart(work, len(works) // 2) for work in works]


def _apart(work: Work, together: int) -> Later:
    memo: Memo = msgspec.structs.replace(
        work.memo, hints=work.hints, dropped_until=work.dropped_until, together=together
    )
    return Later(work.call_id, 0, encode_memo(memo))


def is_outage(error: Exception) -> bool:
    """Tell whether an error of Redis' is the server's, and not about what it was asked to do."""
    if isinstance(error, DataError):
        return False
    if not isinstance(error, ResponseError):
        return True
    return "user_script" not in str(error) or _OUTAGE.search(str(error)) is not None


def place_of(error: BaseException) -> str:
    """Return what an error is and where it was met; not its words, which may repeat a value."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _OURS in PurePath(frame.filename).parts]
    kind = type(error).__name__
    if not frames:
        return kind
    frame = (ours or frames)[-1]
    return f"{kind} in {PurePath(frame.filename).name}, line {frame.lineno}, {frame.name}"
