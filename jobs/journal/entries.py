"""Decodes a file of the journal into marks: pure, tolerant where HubSpot is."""

from typing import Final

import msgspec

from jobs.hubspot.loose import DECODING, mend
from jobs.journal.entry import (
    MalformedError,
    Move,
    identifier,
    move_of,
    named_by,
    read_entry,
    time_of,
)
from jobs.journal.files import BadFileError
from jobs.ledger.deadletters import RAW_BYTES, DeadLetter
from jobs.ledger.hints import Hint
from jobs.ledger.messages import Mark

MALFORMED: Final = "malformed-journal-entry"
"""The reason on the dead letters made here."""


class Contents(msgspec.Struct, frozen=True):
    """What a file says."""

    marks: tuple[Mark, ...] = ()
    """One per call, with all that the file said about it."""
    dead_letters: tuple[DeadLetter, ...] = ()
    moves: tuple[Move, ...] = ()
    others: int = 0
    """Entries about other object types, which need no work."""
    published_at: int = 0
    """When HubSpot published the file, in epoch ms; 0 = it does not say."""


class _File(msgspec.Struct, rename="camel"):
    journal_events: list[msgspec.Raw]
    published_at: object = None


class _Glance(msgspec.Struct, rename="camel"):
    portal_id: object = None
    object_id: object = None


_file: Final = msgspec.json.Decoder(_File)
_glance: Final = msgspec.json.Decoder(_Glance)


def decode(raw: bytes) -> Contents:
    """Return the marks of a file, with a dead letter for each entry that is malformed.

    Raises:
        BadFileError: it is no file of the journal, from its first byte to its last.
    """
    hints: dict[tuple[int, int], list[Hint]] = {}
    letters: list[DeadLetter] = []
    moves: list[Move] = []
    others = 0
    file = _file_of(raw)
    for element in file.journal_events:
        try:
            entry = read_entry(bytes(element))
            move = move_of(entry)
            named = [] if move else list(named_by(entry))
            portal_id = identifier(entry.portal_id) if named else 0
        except DECODING as error:
            letters.append(_letter(bytes(element), error))
            continue
        if move:
            moves.append(move)
        elif not named:
            others += 1
        for call_id, hint in named:
            hints.setdefault((portal_id, call_id), []).append(hint)
    marks = (
        Mark(portal_id, str(call_id), tuple(said)) for (portal_id, call_id), said in hints.items()
    )
    published_at = time_of(file.published_at)
    return Contents(tuple(marks), tuple(letters), tuple(moves), others, published_at)


def _file_of(raw: bytes) -> _File:
    try:
        return _file.decode(raw)
    except DECODING:
        pass
    try:
        return _file.decode(mend(raw))
    except DECODING as error:
        why = f"it is no file of the journal: {type(error).__name__}"
    raise BadFileError(why, raw[:RAW_BYTES])


def _letter(raw: bytes, error: Exception) -> DeadLetter:
    try:
        seen = _glance.decode(raw)
    except DECODING:
        seen = _Glance()
    call_id = _valid(seen.object_id)
    told = str(error) if isinstance(error, MalformedError | msgspec.MsgspecError) else "no JSON"
    return DeadLetter(
        reason=MALFORMED,
        error=told,
        raw=raw[:RAW_BYTES],
        origin="journal",
        portal_id=_valid(seen.portal_id),
        call_id=None if call_id is None else str(call_id),
    )


def _valid(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return identifier(value)
    except MalformedError:
        return None
