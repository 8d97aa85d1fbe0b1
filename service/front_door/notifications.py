"""Decodes the body of a delivery into marks: pure, tolerant where HubSpot is.

The fields are those of HubSpot's generic webhook subscriptions ("Webhooks API", `object.*`).
"""

from collections.abc import Iterable, Iterator

import msgspec

from jobs.ledger.deadletters import RAW_BYTES, DeadLetter
from jobs.ledger.hints import Hint
from jobs.ledger.messages import Mark
from service.front_door.json_elements import MOST_NOTIFICATIONS, check_crowd, split

CALL_TYPE = "0-48"
"""HubSpot's `objectTypeId` of calls."""

MALFORMED = "malformed-notification"
"""The reason on the dead letters made here."""

_MAX_ID = 2**63 - 1
_MAX_DIGITS = 19
_MAX_OCCURRED_AT = 253_402_300_799_999  # the last ms of the year 9999

_Id = int | str | None


class _MalformedError(ValueError):
    """A notification about a call whose ids or time cannot be used."""


_UNREADABLE = (ValueError, RecursionError)
"""What decoding raises: msgspec's errors, texts that are not UTF-8, nesting that is too deep."""


class Notification(msgspec.Struct, gc=False, rename="camel"):
    """The fields of a notification that matter to a mark; HubSpot sends others besides."""

    portal_id: _Id = None
    subscription_type: str | None = None
    event_type: str | None = None
    """What the documentation's classic sample calls `subscriptionType`."""
    occurred_at: _Id = None
    object_id: _Id = None
    object_type_id: str | None = None
    property_name: str | None = None
    change_source: str | None = None
    primary_object_id: _Id = None
    new_object_id: _Id = None
    merged_object_ids: list[_Id] | int | str | None = None
    from_object_id: _Id = None
    from_object_type_id: str | None = None
    to_object_id: _Id = None
    to_object_type_id: str | None = None
    association_removed: bool | None = None


class Glance(msgspec.Struct, gc=False, rename="camel"):
    """What can be said of a notification that is not well-formed."""

    portal_id: object = None
    object_id: object = None
    subscription_type: object = None
    event_type: object = None
    object_type_id: object = None
    from_object_type_id: object = None
    to_object_type_id: object = None


class Batch(msgspec.Struct, frozen=True):
    """What one body said."""

    marks: tuple[Mark, ...] = ()
    """One per call, with all that the body said about it."""
    dead_letters: tuple[DeadLetter, ...] = ()
    calls: int = 0
    """Notifications about calls that became hints of the marks."""
    others: int = 0
    """Notifications about other object types, which need no work."""


_many = msgspec.json.Decoder(list[Notification])
_one = msgspec.json.Decoder(Notification)
_glance = msgspec.json.Decoder(Glance)

_Named = list[tuple[int, Hint]]


def decode(body: bytes) -> Batch:
    """Return the marks of a body, with a dead letter for each notification that is malformed.

    Raises:
        UnreadableBodyError: the body is not JSON, or neither an array nor an object.
        OvercrowdedBodyError: it holds more than `MOST_NOTIFICATIONS`.
    """
    if body.count(b",") >= MOST_NOTIFICATIONS:
        check_crowd(body)
    try:
        return _Gatherer().all(_many.decode(body))
    except _UNREADABLE:
        return _one_by_one(body)


def _one_by_one(body: bytes) -> Batch:
    """Decode a body of which something is unusual: a single object, or a malformed element."""
    try:
        elements = split(body)
    except RecursionError:
        letter = DeadLetter(reason=MALFORMED, error="nested too deeply", raw=body[:RAW_BYTES])
        return Batch(dead_letters=(letter,))
    gatherer = _Gatherer()
    for element in elements:
        gatherer.one(element)
    return gatherer.batch()


class _Gatherer:
    """Collects what a body's notifications say, by call."""

    def __init__(self) -> None:
        self._hints: dict[tuple[int, int], list[Hint]] = {}
        self._dead_letters: list[DeadLetter] = []
        self._calls = 0
        self._others = 0

    def all(self, notifications: Iterable[Notification]) -> Batch:
        """Gather well-formed notifications; raises `_MalformedError` at the first other one."""
        for notification in notifications:
            self._add(notification)
        return self.batch()

    def one(self, raw: bytes) -> None:
        """Gather one notification, or set it aside."""
        try:
            self._add(_one.decode(raw))
        except _UNREADABLE as error:
            glance = _look(raw)
            if glance is not None and _is_other(glance):
                self._others += 1
            else:
                self._dead_letters.append(_dead_letter(raw, glance, _told(error)))

    def batch(self) -> Batch:
        """Return what was gathered."""
        marks = [
            Mark(portal_id, str(call_id), tuple(hints))
            for (portal_id, call_id), hints in self._hints.items()
        ]
        return Batch(tuple(marks), tuple(self._dead_letters), self._calls, self._others)

    def _add(self, notification: Notification) -> None:
        named = _named(notification)
        if not named:
            self._others += 1
            return
        portal_id = _identifier(notification.portal_id)
        self._calls += 1
        for call_id, hint in named:
            self._hints.setdefault((portal_id, call_id), []).append(hint)


def _named(said: Notification) -> _Named:
    """Return the calls that a notification names, each with its hint; none if it is not of calls.

    Raises:
        _MalformedError: it is of calls, or of nothing known, and cannot be used.
    """
    subscription = said.subscription_type or said.event_type or ""
    of_call = said.object_type_id == CALL_TYPE
    of_side = CALL_TYPE in (said.from_object_type_id, said.to_object_type_id)
    if not of_call and not of_side:
        if subscription or said.object_type_id:
            return []
        msg = "it says neither its kind nor its object type"
        raise _MalformedError(msg)
    kind = subscription.rpartition(".")[2]
    if of_side or kind == "associationChange":
        return list(_associated(said, kind))
    if kind == "merge":
        return list(_merged(said, kind))
    return [(_identifier(said.object_id), _hint(said, kind, None))]


def _associated(said: Notification, kind: str) -> Iterator[tuple[int, Hint]]:
    """Yield each side that is a call, with the other side as the target of its hint."""
    sides = (
        (said.from_object_type_id, said.from_object_id),
        (said.to_object_type_id, said.to_object_id),
    )
    seen: set[int] = set()
    for (type_id, call_id), (other_type, other_id) in (sides, sides[::-1]):
        if type_id == CALL_TYPE:
            known = other_type and other_id is not None
            target = f"{other_type}:{_identifier(other_id)}" if known else None
            seen.add(_identifier(call_id))
            yield _identifier(call_id), _hint(said, kind, target)
    if said.object_type_id == CALL_TYPE and (said.object_id is not None or not seen):
        call_id = _identifier(said.object_id)
        if call_id not in seen:
            yield call_id, _hint(said, kind, None)


def _merged(said: Notification, kind: str) -> Iterator[tuple[int, Hint]]:
    """Yield every call that a merge names; the surviving one is the target of the others' hints.

    The survivor is `newObjectId`, which may be a record that neither side was before.
    """
    merged = said.merged_object_ids
    named = [said.new_object_id, said.primary_object_id, said.object_id]
    named += merged if isinstance(merged, list) else [merged]
    calls = dict.fromkeys(_identifier(call_id) for call_id in named if call_id is not None)
    if not calls:
        msg = "the merge names no call"
        raise _MalformedError(msg)
    survivor = next(iter(calls))
    for call_id in calls:
        yield call_id, _hint(said, kind, None if call_id == survivor else str(survivor))


def _hint(said: Notification, kind: str, target: str | None) -> Hint:
    return Hint(
        kind,
        _occurred_at(said.occurred_at),
        said.property_name or None,
        said.change_source or None,
        target,
        bool(said.association_removed),
    )


def _identifier(value: _Id) -> int:
    """Return a HubSpot id, a positive int64, which may have come as a string of digits."""
    number = _number(value)
    if number is None or not 0 < number <= _MAX_ID:
        msg = "an id is missing or not a positive 64-bit number"
        raise _MalformedError(msg)
    return number


def _occurred_at(value: _Id) -> int:
    """Return a time in epoch ms, 0 where none is given."""
    number = 0 if value is None else _number(value)
    if number is None or not 0 <= number <= _MAX_OCCURRED_AT:
        msg = "occurredAt is not a time in epoch ms"
        raise _MalformedError(msg)
    return number


def _number(value: _Id) -> int | None:
    if isinstance(value, str):
        digits = value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS
        return int(value) if digits else None
    return value


def _look(raw: bytes) -> Glance | None:
    try:
        return _glance.decode(raw)
    except _UNREADABLE:
        return None


def _is_other(seen: Glance) -> bool:
    """Whether what could not be decoded is about something else than calls."""
    types = (seen.object_type_id, seen.from_object_type_id, seen.to_object_type_id)
    says = (seen.object_type_id, seen.subscription_type, seen.event_type)
    return CALL_TYPE not in types and any(isinstance(word, str) and word for word in says)


def _told(error: Exception) -> str:
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _dead_letter(raw: bytes, seen: Glance | None, error: str) -> DeadLetter:
    return DeadLetter(
        reason=MALFORMED,
        error=error,
        raw=raw[:RAW_BYTES],
        portal_id=_valid(seen.portal_id) if seen else None,
        call_id=str(_valid(seen.object_id) or "") or None if seen else None,
    )


def _valid(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return _identifier(value)
    except _MalformedError:
        return None
