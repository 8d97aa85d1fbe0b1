"""What a read means for a call's hints, and when a missing call is gone: pure arithmetic.

HubSpot answers reads from replicas that may lag behind what a notification said. What was read is
published at once; a hint that the read does not yet show only keeps the mark, for a bounded time.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from jobs.ledger.hints import Hint
from jobs.timing import Timing

CLOCK_SLACK_MS = 1_000
"""HubSpot's `updatedAt` may lie this much before the `occurredAt` of the same change. So may the
`updatedAt` of the change before it, where a replica lags behind: the one is told as the other's
event, and looked for again."""

DEPARTURE_KINDS = frozenset({"deletion", "merge", "privacyDeletion"})
"""Kinds that announce that a call goes away."""
ARRIVAL_KINDS = frozenset({"creation", "propertyChange", "restore"})
"""Kinds that say a call exists: while one is unmet, a missing call is late rather than gone."""


class Reading(msgspec.Struct, frozen=True):
    """What HubSpot answered about one call, as far as hints are judged by it."""

    state: Literal["live", "archived", "missing", "merged"]
    updated_at: int = 0
    """HubSpot's `updatedAt` in epoch ms."""
    archived_at: int = 0
    """HubSpot's `archivedAt` in epoch ms, 0 if it names none."""
    associations: Mapping[str, Sequence[str]] = {}
    """Object type id (`0-1`) -> ids on the other side, of the types that were read."""


class Absence(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the verdict "gone" has come for a call that HubSpot names as missing."""

    rounds: int = 0
    """Complete rounds (live, then archived) that found it missing."""
    last_at: int = 0
    """When the last counted round was, in Redis' epoch ms."""
    announced: bool = False
    """True once a notification said that the call goes away."""
    merged_into: str | None = None
    """The call that it went into, once a merge's notification said so."""
    found: Hint | None = None
    """What reconciliation said of it, if nobody else has said anything."""


class Memo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one reader leaves for the next in the ledger."""

    hints: tuple[Hint, ...] = ()
    dropped_until: int = 0
    """The latest `occurred_at` of hints that were too many to keep, in ms; 0 = none."""
    attempts: int = 0
    """How often the record itself failed: HubSpot refused it or it did not decode."""
    first_error: str = ""
    """What was wrong the first time."""
    failed_at: int = 0
    """When that was, in Redis' epoch ms."""
    together: int = 0
    """With how many calls it may be processed at most, after an error that nobody foresaw; 0 = no
    bound."""
    paging: bool = False
    """Whether more of its associations are to be read: see `jobs.live.paging`."""
    overtaken: int = 0
    """How often in a row another reader published first."""
    lagging: int = 0
    """How often in a row HubSpot answered an older state than the published one."""
    absence: Absence | None = None


class Weighed(msgspec.Struct, frozen=True):
    """Hints sorted by a read."""

    met: tuple[Hint, ...]
    unmet: tuple[Hint, ...]
    """Each with the time of its first test; those among them too that are met and not certain."""
    dropped: int
    """Unmet hints whose patience has run out."""
    wait_ms: int
    """How long until the earliest rung of the unmet hints; 0 without any."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Memo)


def encode_memo(memo: Memo) -> str:
    """Return the memo as text."""
    return _encoder.encode(memo).decode()


def decode_memo(text: str) -> Memo:
    """Return the memo of a text that `encode_memo` made; an empty text is an empty memo."""
    return _decoder.decode(text) if text else Memo()


def is_met(hint: Hint, reading: Reading) -> bool:
    """Tell whether the read shows what the hint said; nothing is met while the call is missing."""
    if reading.state in {"missing", "merged"}:
        return reading.state == "merged"
    match hint.kind:
        case "creation" | "propertyChange" | "":
            met = reading.updated_at + CLOCK_SLACK_MS >= hint.occurred_at
        case "associationChange":
            met = _association_met(hint, reading)
        case "deletion" | "privacyDeletion":
            met = reading.state == "archived"
        case "merge":
            met = reading.state == "archived" or hint.target is None
        case "restore":
            met = reading.state == "live"
        case _:
            met = True
    return met


def is_certain(hint: Hint, reading: Reading) -> bool:
    """Tell whether a read that meets the hint cannot be one of the moment before it.

    Such as an archived call, of which it is said that it was deleted after that: it may be gone.
    """
    match hint.kind, reading.state:
        case (("creation" | "propertyChange" | ""), ("live" | "archived")):
            return reading.updated_at >= hint.occurred_at
        case (("deletion" | "privacyDeletion"), "archived"):
            return not reading.archived_at or reading.archived_at >= hint.occurred_at
        case _:
            return True


def _association_met(hint: Hint, reading: Reading) -> bool:
    kind, _, other = (hint.target or "").partition(":")
    if reading.state != "live" or kind not in reading.associations:
        return True
    return (other in reading.associations[kind]) is not hint.removed


def weigh(hints: Sequence[Hint], reading: Reading, now: int, timing: Timing) -> Weighed:
    """Sort the hints by what was read.

    Args:
        hints: of one call.
        reading: what HubSpot answered.
        now: Redis' epoch ms.
        timing: the rungs and the patience.
    """
    met: list[Hint] = []
    unmet: list[Hint] = []
    dropped = 0
    for hint in hints:
        shown = is_met(hint, reading)
        if shown:
            met.append(hint)
            if is_certain(hint, reading):
                continue
        tested_at = hint.tested_at or now
        if now - tested_at >= timing.hint_patience_ms:
            dropped += not shown
        else:
            unmet.append(msgspec.structs.replace(hint, tested_at=tested_at))
    waits = [next_rung(now - hint.tested_at, timing.behind_rungs_ms) for hint in unmet]
    return Weighed(tuple(met), tuple(unmet), dropped, min(waits, default=0))


def next_rung(age_ms: int, rungs_ms: Sequence[int]) -> int:
    """Return how long until the first rung beyond `age_ms`, in ms, at least 1."""
    for rung in rungs_ms:
        if rung > age_ms:
            return rung - age_ms
    return max(1, rungs_ms[-1])


def is_late(hints: Sequence[Hint]) -> bool:
    """Tell whether an unmet hint says that the missing call exists."""
    return any(
        hint.kind in ARRIVAL_KINDS or (hint.kind == "associationChange" and not hint.removed)
        for hint in hints
    )


def is_announced(hints: Sequence[Hint]) -> bool:
    """Tell whether a hint says that the call goes away; the survivor of a merge does not."""
    return any(
        hint.kind in DEPARTURE_KINDS and (hint.kind != "merge" or hint.target is not None)
        for hint in hints
    )


def is_erased(hints: Sequence[Hint]) -> bool:
    """Tell whether a hint says that the call was deleted for privacy: it has no last state."""
    return any(hint.kind == "privacyDeletion" for hint in hints)


def merged_into(hints: Sequence[Hint]) -> str | None:
    """Return the survivor that the latest merge names, None if the call was not merged away.

    HubSpot may answer a merged id under the survivor's, or not at all: then only this tells.
    """
    merges = [hint for hint in hints if hint.kind == "merge" and hint.target is not None]
    return max(merges, key=lambda hint: hint.occurred_at).target if merges else None


def heard(absence: Absence | None, hints: Sequence[Hint]) -> Absence | None:
    """Return the absence with what the hints announce: that is remembered longer than they are."""
    if not is_announced(hints):
        return absence
    before = absence or Absence()
    survivor = merged_into(hints) or before.merged_into
    return msgspec.structs.replace(before, announced=True, merged_into=survivor)


def next_absence(
    absence: Absence | None, *, announced: bool, now: int, timing: Timing
) -> tuple[Absence, int]:
    """Count one more complete round that found the call missing.

    Two rounds apart decide when the departure was announced; without an announcement the verdict
    is held, and a third round decides.

    Returns:
        The new count and how long to wait for the next round in ms; 0 = the call is gone.
    """
    before = absence or Absence()
    announced = announced or before.announced
    counted = msgspec.structs.replace(
        before, rounds=before.rounds + 1, last_at=now, announced=announced
    )
    if before.rounds == 0:
        return counted, timing.gone_apart_ms
    held = before.rounds > 1 and not announced
    remaining = before.last_at + (timing.gone_held_ms if held else timing.gone_apart_ms) - now
    if remaining > 0:
        return msgspec.structs.replace(before, announced=announced), remaining
    decided = announced or held
    return counted, 0 if decided else timing.gone_held_ms


def doubling(attempt: int, first_ms: int, last_ms: int) -> int:
    """Return the wait before attempt number `attempt` (1 = the first repeat), in ms."""
    return int(min(last_ms, first_ms * 2 ** min(attempt - 1, 30)))
