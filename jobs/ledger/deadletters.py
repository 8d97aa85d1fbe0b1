"""What could not be processed, set aside with its reason instead of being lost.

Keys, on the ledger's Redis, after the namespace:

- `calls:dead`: stream, one entry a dead letter; its fields are named in `fields`, its id tells when
  it was set aside. Of letters beyond the first ten thousand the bytes are not kept.

`jobs.deadletters` says how their bytes are kept, and what operators do with them.
"""

import msgspec

RAW_BYTES = 65_536
"""A dead letter keeps at most this much of what it is about."""
FIELDS = 10
"""Fields of a letter's stream entry; the ledger's scripts take letters apart by this count."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """Something set aside."""

    reason: str
    """A short fixed word, such as `malformed-notification` or `undecodable-call`."""
    error: str
    """What went wrong at last and where, without values of the record."""
    raw: bytes
    """The bytes it is about, cut at `RAW_BYTES`."""
    origin: str = "webhook"
    """Who brought it: `webhook`, `journal`, `reconciliation`, `backfill` or `replay`."""
    portal_id: int | None = None
    call_id: str | None = None
    attempts: int = 0
    first_error: str = ""
    """What went wrong at first; empty if nothing else did."""
    first_at: int = 0
    """When that was, in Redis' epoch ms; 0 = when the letter was set aside."""


def fields(letter: DeadLetter, *, kept: str = "", raw: bytes = b"") -> list[bytes | str]:
    """Return the letter as the flat field list of a stream entry.

    Args:
        letter: what was set aside.
        kept: how its bytes are kept, see `jobs.deadletters.envelope`.
        raw: the bytes as they are kept.
    """
    return [
        "reason",
        letter.reason,
        "error",
        letter.error,
        "first_error",
        letter.first_error or letter.error,
        "first_at",
        str(letter.first_at),
        "origin",
        letter.origin,
        "portal_id",
        "" if letter.portal_id is None else str(letter.portal_id),
        "call_id",
        letter.call_id or "",
        "attempts",
        str(letter.attempts),
        "kept",
        kept,
        "raw",
        raw,
    ]
