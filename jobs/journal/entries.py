"""Decodes a file of the journal into marks: pure, tolerant where HubSpot is.

An entry says what happened to one record, in the words of HubSpot's journal guide: `type`, `action`
and, by type, the object, both sides of an association, or the app's coming and going.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from jobs import instants
from jobs.deadletters import RAW_BYTES, DeadLetter
from jobs.hints import Hint
from jobs.hubspot.loose import DECODING, mend
from jobs.journal.files import BadFileError
from jobs.ledger import Mark

CALL_TYPE: Final = "0-48"
"""HubSpot's `objectTypeId` of calls."""
MALFORMED: Final = "malformed-journal-entry"
"""The reason on the dead letters made here."""
INSTALL: Final = "APP_INSTALL"
UNINSTALL: Final = "APP_UNINSTALL"

_KINDS: Final = {
    "CREATE": "creation",
    "UPDATE": "propertyChange",
    "DELETE": "deletion",
    "RESTORE": "restore",
    "MERGE": "merge",
    "GDPR_DELETE": "privacyDeletion",
}
_LIFECYCLE: Final = {"4-1909196": INSTALL, "4-1916193": UNINSTALL}
"""HubSpot's `eventTypeId`s of an app's life cycle."""
_MAX_ID: Final = 2**63 - 1
_MAX_DIGITS: Final = 19
_MAX_OCCURRED_AT: Final = 253_402_300_799_999  # the last ms of the year 9999

_Id = int | str | None


class _MalformedError(ValueError):
    """An entry whose ids or time cannot be used."""


class Entry(msgspec.Struct, gc=False, rename="camel"):
    """The fields of an entry that matter to a mark; HubSpot sends others besides."""

    type: str | None = None
    portal_id: _Id = None
    occurred_at: _Id = None
    action: str | None = None
    object_type_id: str | None = None
    object_id: _Id = None
    property_changes: msgspec.Raw = msgspec.Raw(b"null")
    primary_object_id: _Id = None
    new_object_id: _Id = None
    merged_object_ids: list[_Id] | int | str | None = None
    event_type_id: str | None = None
    from_object_id: _Id = None
    from_object_type_id: str | None = None
    to_object_id: _Id = None
    to_object_type_id: str | None = None


class Move(msgspec.Struct, frozen=True):
    """An account has installed or uninstalled an app."""

    portal_id: int
    installed: bool


class Contents(msgspec.Struct, frozen=True):
    """What a file says."""

    marks: tuple[Mark, ...] = ()
    """One per call, with all that the file said about it."""
    dead_letters: tuple[DeadLetter, ...] = ()
    moves: tuple[Move, ...] = ()
    others: int = 0
    """Entries about other object types, which need no work."""


class _File(msgspec.Struct, rename="camel"):
    journal_events: list[msgspec.Raw]


class _Glance(msgspec.Struct, rename="camel"):
    portal_id: object = None
    object_id: object = None


_file: Final = msgspec.json.Decoder(_File)
_entry: Final = msgspec.json.Decoder(Entry)
_glance: Final = msgspec.json.Decoder(_Glance)
_changes: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

_Named = tuple[int, Hint]


def decode(raw: bytes) -> Contents:
    """Return the marks of a file, with a dead letter for each entry that is malformed.

    Raises:
        BadFileError: it is no file of the journal, from its first byte to its last.
    """
    hints: dict[tuple[int, int], list[Hint]] = {}
    letters: list[DeadLetter] = []
    moves: list[Move] = []
    others = 0
    for element in _elements(raw):
        try:
            entry = _decoded(bytes(element))
            move = _move(entry)
            named = [] if move else list(_named(entry))
            portal_id = _identifier(entry.portal_id) if named else 0
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
    return Contents(tuple(marks), tuple(letters), tuple(moves), others)


def _elements(raw: bytes) -> list[msgspec.Raw]:
    try:
        return _file.decode(raw).journal_events
    except DECODING:
        pass
    try:
        return _file.decode(mend(raw)).journal_events
    except DECODING as error:
        why = f"it is no file of the journal: {type(error).__name__}"
    raise BadFileError(why, raw[:RAW_BYTES])


def _decoded(raw: bytes) -> Entry:
    try:
        return _entry.decode(raw)
    except DECODING:
        return _entry.decode(mend(raw))


def _move(entry: Entry) -> Move | None:
    action = _LIFECYCLE.get(entry.event_type_id or "", entry.action)
    if action not in (INSTALL, UNINSTALL):
        return None
    return Move(_identifier(entry.portal_id), installed=action == INSTALL)


def _named(entry: Entry) -> Iterator[_Named]:
    """Yield the calls that an entry names, each with a hint; none if it is not of calls.

    Raises:
        _MalformedError: it is of calls, or of nothing known, and cannot be used.
    """
    sides = (entry.from_object_type_id, entry.to_object_type_id)
    if CALL_TYPE in sides:
        yield from _associated(entry)
    elif entry.object_type_id == CALL_TYPE:
        action = entry.action or ""
        if action == "MERGE":
            yield from _merged(entry)
            return
        call_id, kind = _identifier(entry.object_id), _KINDS.get(action, action)
        names = _changed(entry) if action == "UPDATE" else ()
        for name in names or (None,):
            yield call_id, _hint(entry, kind, name=name)
    elif entry.object_type_id is None and sides == (None, None):
        msg = "it does not say its object type"
        raise _MalformedError(msg)


def _changed(entry: Entry) -> tuple[str, ...]:
    """Return the names of the properties that changed, none if they are in no known form."""
    try:
        return tuple(_changes.decode(entry.property_changes))
    except DECODING:
        return ()


def _associated(entry: Entry) -> Iterator[_Named]:
    """Yield each side that is a call, with the other side as the target of its hint."""
    sides = (
        (entry.from_object_type_id, entry.from_object_id),
        (entry.to_object_type_id, entry.to_object_id),
    )
    for (type_id, call_id), (other_type, other_id) in (sides, sides[::-1]):
        if type_id == CALL_TYPE:
            known = other_type and other_id is not None
            target = f"{other_type}:{_identifier(other_id)}" if known else None
            removed = entry.action == "ASSOCIATION_REMOVED"
            hint = _hint(entry, "associationChange", target=target, removed=removed)
            yield _identifier(call_id), hint


def _merged(entry: Entry) -> Iterator[_Named]:
    """Yield every call that a merge names; the surviving one is the target of the others' hints."""
    merged = entry.merged_object_ids
    named = [entry.new_object_id, entry.primary_object_id, entry.object_id]
    named += merged if isinstance(merged, list) else [merged]
    calls = dict.fromkeys(_identifier(call_id) for call_id in named if call_id is not None)
    if not calls:
        msg = "the merge names no call"
        raise _MalformedError(msg)
    survivor = next(iter(calls))
    for call_id in calls:
        target = None if call_id == survivor else str(survivor)
        yield call_id, _hint(entry, "merge", target=target)


def _hint(
    entry: Entry,
    kind: str,
    *,
    name: str | None = None,
    target: str | None = None,
    removed: bool = False,
) -> Hint:
    return Hint(
        kind,
        _occurred_at(entry.occurred_at),
        name,
        target=target,
        removed=removed,
        origin="journal",
    )


def _identifier(value: _Id) -> int:
    """Return a HubSpot id, a positive int64, which may have come as a string of digits."""
    number = _number(value)
    if number is None or not 0 < number <= _MAX_ID:
        msg = "an id is missing or not a positive 64-bit number"
        raise _MalformedError(msg)
    return number


def _occurred_at(value: _Id) -> int:
    """Return a time in epoch ms out of RFC 3339 or epoch ms, 0 where none is given."""
    number = 0 if value is None else _number(value)
    if number is None and isinstance(value, str):
        instant = instants.parse(value)
        number = None if instant is None else instants.to_ms(instant)
    if number is None or not 0 <= number <= _MAX_OCCURRED_AT:
        msg = "occurredAt is not a time"
        raise _MalformedError(msg)
    return number


def _number(value: _Id) -> int | None:
    if isinstance(value, str):
        digits = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
        return int(value) if digits else None
    return value


def _letter(raw: bytes, error: Exception) -> DeadLetter:
    try:
        seen = _glance.decode(raw)
    except DECODING:
        seen = _Glance()
    call_id = _valid(seen.object_id)
    told = str(error) if isinstance(error, _MalformedError | msgspec.MsgspecError) else "no JSON"
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
        return _identifier(value)
    except _MalformedError:
        return None
