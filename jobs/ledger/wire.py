"""How the ledger's messages travel to its Lua scripts and back: as msgpack, packed here."""

from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from jobs.deadletters.envelope import Envelope
from jobs.hubspot.breaker import breaker_keys
from jobs.ledger.deadletters import FIELDS, DeadLetter
from jobs.ledger.hints import DECISIVE_KINDS, HARD_BYTES, SOFT_BYTES, Hint, pack
from jobs.ledger.messages import Bell, Dead, Done, Later, Mark, Verdict
from jobs.timing import Timing

BATCH = 100
"""Calls of one claim: as many as HubSpot answers in one batch read."""
BELL_SLACK_MS = 20
"""A doorbell that rings this much later than wanted is early enough."""

PACKER = msgspec.msgpack.Encoder()

T = TypeVar("T")


class Counted(msgspec.Struct, Generic[T], frozen=True, array_like=True):
    """The answer of a script that commits."""

    body: T
    epoch: str
    """Empty, as the count is 0, for who is not counted."""
    count: int
    """See `jobs.pulse.watch`."""


class Settled(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a settlement."""

    lost: int
    """Verdicts on calls that the claim no longer held."""
    bells: list[Bell]


def limits(timing: Timing, namespace: str, *, process: str = "") -> bytes:
    """Return the constants that every script of the ledger is given; times in ms.

    Commits are counted for `process`; for nobody if it is empty.
    """
    return PACKER.encode(
        {
            "batch": BATCH,
            "bell": timing.bell_ms,
            "bell_crowded": timing.bell_crowded_ms,
            "bell_slack": BELL_SLACK_MS,
            "breaker": breaker_keys(namespace).breaker,
            "decisive": dict.fromkeys(sorted(DECISIVE_KINDS), True),
            "fleet_beat": timing.fleet_beat_ms,
            "hard": HARD_BYTES,
            "letter_words": 2 * FIELDS,
            "lease": timing.lease_ms,
            "pace": timing.pace_ms,
            "process": process,
            "quiet": timing.quiet_ms,
            "recent": timing.recent_ms,
            "ring_horizon": timing.ring_horizon_ms,
            "soft": SOFT_BYTES,
        }
    )


def decode(answer: object, kind: type[T]) -> T:
    """Return a script's answer as `kind`; raises `TypeError` when it is not msgpack at all."""
    if not isinstance(answer, bytes):
        msg = f"the ledger's script answered {type(answer).__name__}, not bytes"
        raise TypeError(msg)
    return msgspec.msgpack.decode(answer, type=kind, strict=False)


def pack_marks(marks: Iterable[Mark]) -> bytes:
    """Return the marks by portal and call, the hints of each call together."""
    portals: dict[int, dict[str, list[Hint]]] = {}
    for mark in marks:
        calls = portals.setdefault(mark.portal_id, {})
        calls.setdefault(mark.call_id, []).extend(mark.hints)
    return PACKER.encode(
        [
            (str(portal_id), [(call_id, *_pack_hints(hints)) for call_id, hints in calls.items()])
            for portal_id, calls in portals.items()
        ]
    )


def _pack_hints(hints: Iterable[Hint]) -> tuple[str, str]:
    packed = pack(hints)
    return packed.decisive, packed.changes


def pack_verdicts(verdicts: Iterable[Verdict]) -> bytes:
    """Return the verdicts in order; the letters of dead calls go beside them, `flatten`ed."""
    return PACKER.encode([_pack_verdict(verdict) for verdict in verdicts])


def _pack_verdict(verdict: Verdict) -> tuple[object, ...]:
    match verdict:
        case Done(call_id):
            return (call_id, "done")
        case Later(call_id, wait_ms, None):
            return (call_id, "later", wait_ms)
        case Later(call_id, wait_ms, memo):
            return (call_id, "later", wait_ms, memo)
        case Dead(call_id, _):
            return (call_id, "dead")


def flatten(letters: Iterable[DeadLetter], envelope: Envelope) -> list[bytes | str]:
    """Return the letters' fields one after the other: Redis' msgpack knows no raw bytes."""
    return [field for letter in letters for field in envelope.fields(letter)]
