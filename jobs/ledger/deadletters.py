"""What could not be processed, set aside with its reason instead of being lost.

Keys, on the ledger's Redis, after the namespace:

- `calls:dead`: stream, one entry a dead letter; its fields are those of `DeadLetter`.
"""

import msgspec

RAW_BYTES = 65_536
"""A dead letter keeps at most this much of what it is about."""
FIELDS = 7
"""Fields of a letter's stream entry; the ledger's scripts take letters apart by this count."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Something set aside."""

    reason: str
    """A short fixed word, such as `malformed-notification` or `undecodable-call`."""
    error: str
    """What went wrong and where, without values of the record."""
    raw: bytes
    """The bytes it is about, cut at `RAW_BYTES`."""
    origin: str = "webhook"
    """Who brought it: `webhook`, `journal`, `reconciliation`, `backfill` or `replay`."""
    portal_id: int | None = None
    call_id: str | None = None
    attempts: int = 0


def fields(letter: DeadLetter) -> list[bytes | str]:
    """Return the letter as the flat field list of a stream entry."""
    return [
        "reason",
        letter.reason,
        "error",
        letter.error,
        "origin",
        letter.origin,
        "portal_id",
        "" if letter.portal_id is None else str(letter.portal_id),
        "call_id",
        letter.call_id or "",
        "attempts",
        str(letter.attempts),
        "raw",
        letter.raw[:RAW_BYTES],
    ]
