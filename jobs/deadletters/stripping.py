"""Takes the values out of a notification that nobody could use: pure.

What is wrong with one is seen by its form. Its values may be what was said on a call, so of all
but the fields that every notification has only the kind of value is kept.
"""

import re
from typing import Final

import msgspec

from jobs.hubspot.loose import DECODING

NUMBERS: Final = frozenset(
    {
        "appId",
        "associationTypeId",
        "attemptNumber",
        "eventId",
        "eventTypeId",
        "fromObjectId",
        "fromObjectTypeId",
        "mergedObjectIds",
        "newObjectId",
        "objectId",
        "objectTypeId",
        "occurredAt",
        "portalId",
        "primaryObjectId",
        "subscriptionId",
        "toObjectId",
        "toObjectTypeId",
    }
)
"""Fields of ids and times; a text in one is kept if it is an id or a time."""
WORDS: Final = frozenset(
    {
        "action",
        "associationCategory",
        "associationRemoved",
        "changeFlag",
        "changeSource",
        "eventType",
        "isPrimaryAssociation",
        "propertyName",
        "subscriptionType",
        "type",
    }
)
"""Fields of fixed words, and the names of properties."""
MOST_FIELDS: Final = 100
"""So many fields are kept."""

_NUMBER: Final = re.compile(
    r"[0-9]{1,20}(?:-[0-9]{1,20})?|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,20}Z?", re.ASCII
)
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}", re.ASCII)
_OTHER: Final = "other"
_said: Final = msgspec.json.Decoder(dict[str, object] | list[object] | str | float | bool | None)


def stripped(raw: bytes) -> bytes | None:
    """Return the notification without its values; None if it is no JSON."""
    try:
        said = _said.decode(raw)
    except DECODING:
        return None
    if not isinstance(said, dict):
        return msgspec.json.encode(_kind(said))
    shown = {_name(name): _shown(name, value) for name, value in list(said.items())[:MOST_FIELDS]}
    return msgspec.json.encode(shown)


def _name(name: str) -> str:
    return name if _WORD.fullmatch(name) else _OTHER


def _shown(name: str, value: object) -> object:
    """Return a value that tells nobody's secrets: itself, or what kind of value it is."""
    if name in NUMBERS and isinstance(value, list):
        return [_plain(item, _NUMBER) for item in value]
    if name in NUMBERS:
        return _plain(value, _NUMBER)
    if name in WORDS:
        return _plain(value, _WORD)
    return _kind(value)


def _plain(value: object, form: re.Pattern[str]) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and form.fullmatch(value):
        return value
    return _kind(value)


def _kind(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "<boolean>"
        case int() | float():
            return "<number>"
        case str():
            return f"<text of {len(value)}>"
        case list():
            return "<array>"
        case _:
            return "<object>"
