"""A claimed call on its way through one round: what was said of it, what becomes of it. Pure."""

import contextlib
from typing import Final

import msgspec

from jobs.events.payload import first_origin
from jobs.hubspot.kinds import type_id_of
from jobs.instants import to_ms
from jobs.ledger.hints import DECISIVE_KINDS, Bucket, Hint, unpack
from jobs.ledger.messages import ClaimedCall, Done, Later, Verdict
from jobs.live.reading import Answer, Found, Merged, Missing
from jobs.live.verdicts import (
    Absence,
    Memo,
    Reading,
    Weighed,
    decode_memo,
    doubling,
    encode_memo,
    heard,
    is_erased,
    is_late,
    next_absence,
    weigh,
)
from jobs.stream.stream import Lagging, Outcome, Overtaken, Published
from jobs.timing import Timing

MOST_CHANGES: Final = 100
"""So many hints of mere changes wait for a read that shows them: as many as an event tells."""


class Work(msgspec.Struct, frozen=True):
    """A claimed call and all that is known of why it was marked."""

    call_id: str
    memo: Memo
    hints: tuple[Hint, ...]
    """Those an earlier read left unmet, and those that came since."""
    dropped_until: int
    """The latest `occurred_at` of hints that were too many to keep, in ms; 0 = none."""


class Offer(msgspec.Struct, frozen=True):
    """A state to publish if it is new: a call that was found, was merged, or is gone (missing)."""

    work: Work
    answer: Found | Merged | Missing
    weighed: Weighed

    @property
    def said(self) -> Bucket:
        """What the event answers: the hints that the read showed; of a departed call, all."""
        if isinstance(self.answer, Found):
            return Bucket(self.weighed.met, self.work.dropped_until)
        found = finding(self.work)
        return Bucket(self.work.hints or ((found,) if found else ()), self.work.dropped_until)

    @property
    def origin(self) -> str:
        """Who had the call looked at, also if the read does not show what was said of it."""
        return first_origin([hint.origin for hint in self.work.hints] or ["webhook"])


def open_work(claimed: ClaimedCall) -> Work:
    """Return the claimed call with memo and hints decoded.

    What cannot be decoded counts as not said: the call is read in any case.
    """
    memo, bucket = Memo(), Bucket()
    with contextlib.suppress(ValueError):
        memo = decode_memo(claimed.memo)
    with contextlib.suppress(ValueError):
        bucket = unpack(claimed.hints)
    hints = memo.hints + bucket.hints
    if bucket.dropped_until:
        hints += (Hint("", bucket.dropped_until),)
    kept, cut_until = _bounded(tuple(dict.fromkeys(hints)))
    return Work(
        claimed.call_id, memo, kept, max(memo.dropped_until, bucket.dropped_until, cut_until)
    )


def _bounded(hints: tuple[Hint, ...]) -> tuple[tuple[Hint, ...], int]:
    """Return the hints, of too many changes the latest, and the latest time of the others.

    What a reader leaves with a call grows with every read that does not show it. One hint stands
    for all that are left out: the latest, without saying what changed.
    """
    changes = [hint for hint in hints if hint.kind not in DECISIVE_KINDS]
    if len(changes) <= MOST_CHANGES:
        return hints, 0
    changes.sort(key=lambda hint: hint.occurred_at)
    latest_out = changes[-MOST_CHANGES]
    stands_in = Hint("", latest_out.occurred_at, tested_at=latest_out.tested_at)
    kept = set(changes[-MOST_CHANGES + 1 :])
    rest = tuple(hint for hint in hints if hint.kind in DECISIVE_KINDS or hint in kept)
    return (*rest, stands_in), latest_out.occurred_at


def finding(work: Work) -> Hint | None:
    """Return how reconciliation found the call, None if anybody else has named it as well."""
    if not work.hints:
        return work.memo.absence.found if work.memo.absence else None
    if not all(hint.found for hint in work.hints):
        return None
    return max(work.hints, key=lambda hint: hint.occurred_at)


def weigh_answer(work: Work, answer: Answer, now: int, timing: Timing) -> Weighed:
    """Sort the call's hints by what HubSpot answered; `now` is Redis' epoch ms."""
    return weigh(work.hints, _reading(answer), now, timing)


def withheld(work: Work, answer: Answer, weighed: Weighed) -> Later | None:
    """Return when to read a call again that HubSpot shows live though it was deleted for privacy.

    What a replica that lags behind still shows is not published, as long as the hint is kept.
    """
    if not isinstance(answer, Found) or answer.call.archived or not is_erased(weighed.unmet):
        return None
    memo = _kept(work, weighed.met + weighed.unmet)
    return Later(work.call_id, weighed.wait_ms, encode_memo(memo))


def _reading(answer: Answer) -> Reading:
    match answer:
        case Found(call, associations):
            others = {type_id_of(kind): ids for kind, ids in associations.items()}
            return Reading(
                "archived" if call.archived else "live",
                to_ms(call.updated_at),
                to_ms(call.archived_at) if call.archived_at else 0,
                others,
            )
        case Merged():
            return Reading("merged")
        case _:
            return Reading("missing")


def absent(
    work: Work, weighed: Weighed, now: int, timing: Timing
) -> tuple[Absence | None, Later | None]:
    """Judge a call that HubSpot names as missing.

    Returns:
        How far the verdict "gone" has come, None while the call is merely late; and the verdict to
        wait, None if the call is gone.
    """
    known = heard(work.memo.absence, work.hints)
    if is_late(weighed.unmet):
        memo = msgspec.structs.replace(_kept(work, weighed.unmet), absence=known)
        return None, Later(work.call_id, weighed.wait_ms, encode_memo(memo))
    announced = known is not None and known.announced
    absence, wait_ms = next_absence(known, announced=announced, now=now, timing=timing)
    absence = msgspec.structs.replace(absence, found=finding(work))
    if not wait_ms:
        return absence, None
    memo = msgspec.structs.replace(_kept(work, weighed.unmet), absence=absence)
    return absence, Later(work.call_id, wait_ms, encode_memo(memo))


def read_on(work: Work) -> Later:
    """Return the verdict on a call with more associations than one job reads."""
    memo = msgspec.structs.replace(
        work.memo, hints=work.hints, dropped_until=work.dropped_until, paging=True
    )
    return Later(work.call_id, 0, encode_memo(memo))


def after_publishing(offer: Offer, outcome: Outcome, timing: Timing) -> Verdict:
    """Return the verdict on a call whose state was offered to the stream."""
    work, weighed = offer.work, offer.weighed
    match outcome:
        case Overtaken():
            attempt = work.memo.overtaken + 1
            wait_ms = doubling(attempt, timing.again_first_ms, timing.again_last_ms)
            memo = msgspec.structs.replace(_all_kept(offer), overtaken=attempt)
            return Later(work.call_id, wait_ms, encode_memo(memo))
        case Lagging(times):
            rungs = timing.lagging_rungs_ms
            memo = msgspec.structs.replace(_all_kept(offer), lagging=times)
            return Later(work.call_id, rungs[min(times, len(rungs)) - 1], encode_memo(memo))
        case _:
            if weighed.unmet and isinstance(offer.answer, Found):
                unmet = weighed.unmet
                if isinstance(outcome, Published):
                    # What was found has been told: a second state is no second find.
                    unmet = tuple(msgspec.structs.replace(hint, found="") for hint in unmet)
                return Later(work.call_id, weighed.wait_ms, encode_memo(Memo(unmet)))
            return Done(work.call_id)


def _kept(work: Work, hints: tuple[Hint, ...]) -> Memo:
    return Memo(hints, dropped_until=work.dropped_until, absence=work.memo.absence)


def _all_kept(offer: Offer) -> Memo:
    """Return a memo for a state that was not published: it answers none of the hints yet.

    A call that was found is missed no longer, however old the found state: what was announced of
    it stays known, and rounds that miss it are counted anew.
    """
    memo = _kept(offer.work, offer.weighed.met + offer.weighed.unmet)
    if memo.absence is None or not isinstance(offer.answer, Found):
        return memo
    absence = msgspec.structs.replace(memo.absence, rounds=0, last_at=0)
    return msgspec.structs.replace(memo, absence=absence)
