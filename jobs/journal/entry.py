"""What one entry of the journal says about calls, and about the app: pure.

An entry says what happened to one record, in the words of HubSpot's journal guide: `type`, `action`
and, by type, the object, both sides of an association, or the app's coming and going.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from jobs import instants
from jobs.hubspot.loose import DECODING, mend
from jobs.ledger.hints import Hint

CALL_TYPE: Final = "0-48"
"""HubSpot's `objectTypeId` of calls."""
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


class MalformedError(ValueError):
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


Named = tuple[int, Hint]
"""A call's id and what is said of it."""


class Move(msgspec.Struct, frozen=True):
    """An account has installed or uninstalled an app."""

    portal_id: int
    installed: bool


_entry: Final = msgspec.json.Decoder(Entry)
_changes: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_entry(raw: bytes) -> Entry:
    """Return the entry of its bytes; raises ValueError or RecursionError if it is none."""
    try:
        return _entry.decode(raw)
    except DECODING:
        return _entry.decode(mend(raw))


def move_of(entry: Entry) -> Move | None:
    """Return the coming or going that an entry tells of; `MalformedError` without an account."""
    action = _LIFECYCLE.get(entry.event_type_id or "", entry.action)
    if action not in (INSTALL, UNINSTALL):
        return None
    return Move(identifier(entry.portal_id), installed=action == INSTALL)


def named_by(entry: Entry) -> Iterator[Named]:
    """Yield the calls that an entry names, each with a hint; none if it is not of calls.

    Raises:
        MalformedError: it is of calls, or of nothing known, and cannot be used.
    """
    sides = (entry.from_object_type_id, entry.to_object_type_id)
    if CALL_TYPE in sides:
        yield from _associated(entry)
    elif entry.object_type_id == CALL_TYPE:
        action = entry.action or ""
        if action == "MERGE":
            yield from _merged(entry)
            return
        call_id, kind = identifier(entry.object_id), _KINDS.get(action, action)
        names = _changed(entry) if action == "UPDATE" else ()
        for name in names or (None,):
            yield call_id, _hint(entry, kind, name=name)
    elif entry.object_type_id is None and sides == (None, None):
        msg = "it does not say its object type"
        raise MalformedError(msg)


def _changed(entry: Entry) -> tuple[str, ...]:
    """Return the names of the properties that changed, none if they are in no known form."""
    try:
        return tuple(_changes.decode(entry.property_changes))
    except DECODING:
        return ()


def _associated(entry: Entry) -> Iterator[Named]:
    """Yield each side that is a call, with the other side as the target of its hint."""
    sides = (
        (entry.from_object_type_id, entry.from_object_id),
        (entry.to_object_type_id, entry.to_object_id),
    )
    for (type_id, call_id), (other_type, other_id) in (sides, sides[::-1]):
        if type_id == CALL_TYPE:
            known = other_type and other_id is not None
            target = f"{other_type}:{identifier(other_id)}" if known else None
            removed = entry.action == "ASSOCIATION_REMOVED"
            hint = _hint(entry, "associationChange", target=target, removed=removed)
            yield identifier(call_id), hint


def _merged(entry: Entry) -> Iterator[Named]:
    """Yield every call that a merge names; the surviving one is the target of the others' hints."""
    merged = entry.merged_object_ids
    named = [entry.new_object_id, entry.primary_object_id, entry.object_id]
    named += merged if isinstance(merged, list) else [merged]
    calls = dict.fromkeys(identifier(call_id) for call_id in named if call_id is not None)
    if not calls:
        msg = "the merge names no call"
        raise MalformedError(msg)
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


def identifier(value: _Id) -> int:
    """Return a HubSpot id, a positive int64, which may have come as a string of digits."""
    number = _number(value)
    if number is None or not 0 < number <= _MAX_ID:
        msg = "an id is missing or not a positive 64-bit number"
        raise MalformedError(msg)
    return number


def _occurred_at(value: _Id) -> int:
    """Return a time in epoch ms out of RFC 3339 or epoch ms, 0 where none is given."""
    number = 0 if value is None else _number(value)
    if number is None and isinstance(value, str):
        instant = instants.parse(value)
        number = None if instant is None else instants.to_ms(instant)
    if number is None or not 0 <= number <= _MAX_OCCURRED_AT:
        msg = "occurredAt is not a time"
        raise MalformedError(msg)
    return number


def time_of(value: object) -> int:
    """Return a time in epoch ms as `occurredAt` may tell it, 0 if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return 0
    try:
        return _occurred_at(value)
    except MalformedError:
        return 0


def _number(value: _Id) -> int | None:
    if isinstance(value, str):
        digits = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
        return int(value) if digits else None
    return value
