"""Takes the values out of a notification that nobody could use: pure.

What is wrong with one is seen by its form. Its values may be what was said on a call, so of all
but the fields that every notification has only the kind of value is kept.
"""

import re
from typing import Final

import msgspec

from jobs.hubspot.loose import DECODING

NAMED: Final = frozenset(
    {
        "action",
        "appId",
        "associationCategory",
        "associationRemoved",
        "associationTypeId",
        "attemptNumber",
        "changeFlag",
        "changeSource",
        "eventId",
        "eventType",
        "eventTypeId",
        "fromObjectId",
        "fromObjectTypeId",
        "isPrimaryAssociation",
        "mergedObjectIds",
        "newObjectId",
        "objectId",
        "objectTypeId",
        "occurredAt",
        "portalId",
        "primaryObjectId",
        "propertyName",
        "subscriptionId",
        "subscriptionType",
        "toObjectId",
        "toObjectTypeId",
        "type",
    }
)
"""Fields whose values are ids, times and fixed words."""
MOST_FIELDS: Final = 100
"""So many fields are kept."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
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
    return name if _PLAIN.fullmatch(name) else _OTHER


def _shown(name: str, value: object) -> object:
    """Return a value that tells nobody's secrets: itself, or what kind of value it is."""
    if name in NAMED:
        return [_plain(item) for item in value] if isinstance(value, list) else _plain(value)
    return _kind(value)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and _PLAIN.fullmatch(value):
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
