"""What notifications said about a call: kept with its mark until a read has answered it.

A call's hints travel as one string, its bucket, which Redis extends without decoding:
`<latest dropped occurred_at in ms>|` and then one JSON object a line, one hint each. A bucket is
bounded; of the hints that no longer fit only the latest time survives, before the bar (0 = none
was dropped).
"""

from collections.abc import Iterable

import msgspec

SOFT_BYTES = 4_096
"""Beyond this a bucket takes no more property and association changes."""
HARD_BYTES = 8_192
"""Beyond this it takes nothing: the room between is for the kinds that decide a verdict."""

DECISIVE_KINDS = frozenset({"creation", "deletion", "restore", "merge", "privacyDeletion"})
"""Kinds that are still taken when a bucket is full of mere changes."""


class Hint(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename={
        "kind": "k",
        "occurred_at": "t",
        "property": "p",
        "source": "s",
        "target": "o",
        "removed": "r",
        "origin": "g",
        "tested_at": "x",
        "found": "f",
        "right_at": "y",
    },
):
    """What one notification said about one call."""

    kind: str = ""
    """`creation`, `propertyChange`, `associationChange`, `deletion`, `restore`, `merge`,
    `privacyDeletion`, or a kind that HubSpot invents later; empty for a mark that no notification
    made, and for changes of which only the latest time is known."""
    occurred_at: int = 0
    """When it happened, in epoch ms, on HubSpot's clock; 0 = unknown."""
    property: str | None = None
    """The changed property of a `propertyChange`."""
    source: str | None = None
    """HubSpot's `changeSource`, such as `CRM_UI`."""
    target: str | None = None
    """The other side: `<objectTypeId>:<id>` of an association; of a merge, on the calls that
    went away, the id of the surviving call."""
    removed: bool = False
    """True for an association that was removed."""
    origin: str = "webhook"
    """Who marked the call: `webhook`, `journal`, `reconciliation`, `backfill` or `replay`."""
    tested_at: int = 0
    """When a read first tested it, in Redis' epoch ms; 0 = never."""
    found: str = ""
    """How reconciliation found the call, which no notification had named: `search`, `listing`,
    `archived` or `unnamed`; empty for every other mark."""
    right_at: int = 0
    """Of a found call: when its last event was last known to be right, in epoch ms; 0 = never."""


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """Hints of one call ready for Redis: the decisive ones apart from mere changes."""

    decisive: str
    changes: str


class Bucket(msgspec.Struct, frozen=True):
    """A decoded bucket."""

    hints: tuple[Hint, ...] = ()
    dropped_until: int = 0
    """The latest `occurred_at` of hints that did not fit, in ms; 0 = none was dropped."""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Hint)


def pack(hints: Iterable[Hint]) -> Packed:
    """Return the hints as lines, each distinct one once, in their order."""
    distinct = list(dict.fromkeys(hints))
    changes = [hint for hint in distinct if hint.kind not in DECISIVE_KINDS]
    return Packed(
        decisive=_lines([hint for hint in distinct if hint.kind in DECISIVE_KINDS]),
        changes=_lines(changes),
    )


def _lines(hints: list[Hint]) -> str:
    return _encoder.encode_lines(hints).decode()


def unpack(bucket: str) -> Bucket:
    """Return the hints of a bucket, each distinct one once; an empty bucket has none.

    Raises:
        ValueError: the text is not a bucket.
    """
    if not bucket:
        return Bucket()
    dropped_until, _, lines = bucket.partition("|")
    return Bucket(tuple(dict.fromkeys(_decoder.decode_lines(lines))), int(dropped_until))
