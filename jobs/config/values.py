"""The kinds of value a setting may have: how each is read from text and written back.

`parse` raises ValueError with what was expected, and never with what was found: the loader adds the
latter where the value is no secret.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final

import msgspec

from jobs.config import urls

ANYONE: Final = "*"
"""In a list of portals: every portal. In a list of properties: every property."""

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SIZES = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_SIZE = re.compile(r"([0-9]{1,15})(|KiB|MiB|GiB)")
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_VERSION = re.compile(r"v3|20[0-9]{2}-[0-9]{2}(-beta)?")
_NAME = re.compile(r"\S+")
_FERNET_KEY_BYTES = 32
_LARGEST_ID = (1 << 63) - 1


class Secret:
    """A value that shows itself only when asked."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value."""
        return self._value

    def __repr__(self) -> str:
        """Return a fixed text."""
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Compare the values; not in constant time, so not for checking a caller's."""
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class Kind(msgspec.Struct, frozen=True):
    """How one kind of value is read and shown."""

    parse: Callable[[str], object]
    """Reads it from stripped text; ValueError says what was expected."""
    show: Callable[[object], str] = str
    """Writes it as it would stand in the environment."""
    secret: bool = False
    """Whether a wrong value may not be repeated in the error."""


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _whole(text: str, low: int, high: int, what: str) -> int:
    if text.isascii() and text.isdigit() and low <= int(text[:20]) <= high:
        return int(text)
    raise ValueError(what)


def whole(low: int, high: int) -> Kind:
    """Return the kind of a whole number within bounds."""
    return Kind(lambda text: _whole(text, low, high, f"a whole number from {low} to {high}"))


def fraction(low: float, high: float) -> Kind:
    """Return the kind of a number from `low` to just below `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = high
        if low <= value < high:
            return value
        msg = f"a number from {low:g} to below {high:g}"
        raise ValueError(msg)

    return Kind(parse)


def choice(*words: str) -> Kind:
    """Return the kind of one of several words."""

    def parse(text: str) -> str:
        if text.lower() in words:
            return text.lower()
        msg = f"one of {', '.join(words)}"
        raise ValueError(msg)

    return Kind(parse)


def choices(*words: str) -> Kind:
    """Return the kind of a list that holds at least one of several words."""

    def parse(text: str) -> tuple[str, ...]:
        found = _split(text.lower())
        if found and set(found) <= set(words):
            return found
        msg = f"a comma-separated list of {', '.join(words)}"
        raise ValueError(msg)

    return Kind(parse, _shown)


def _split(text: str) -> tuple[str, ...]:
    """Return the items of a comma-separated list, each once, in their order."""
    return tuple(dict.fromkeys(item for part in text.split(",") if (item := part.strip())))


def _duration(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        msg = "a length of time such as 30s, 10m, 24h or 7d"
        raise ValueError(msg)
    return int(match[1]) * _UNITS[match[2] or "s"]


def _show_duration(value: object) -> str:
    seconds = int(str(value))
    unit = next(unit for unit, length in _UNITS.items() if seconds % length == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text.replace(" ", ""))
    if match is None or int(match[1]) == 0:
        msg = "a number of bytes such as 1048576, 512KiB, 16MiB or 4GiB"
        raise ValueError(msg)
    return int(match[1]) * _SIZES.get(match[2], 1)


def _show_size(value: object) -> str:
    size = int(str(value))
    for unit, length in _SIZES.items():
        if size % length == 0:
            return f"{size // length}{unit}"
    return str(size)


def _namespace(text: str) -> str:
    if _NAMESPACE.fullmatch(text) is None:
        msg = "1 to 64 letters, digits, dots, underscores or hyphens"
        raise ValueError(msg)
    return text


def _api_version(text: str) -> str:
    if _VERSION.fullmatch(text) is None:
        msg = "v3, or a date version such as 2026-03"
        raise ValueError(msg)
    return text


def _names(text: str) -> tuple[str, ...]:
    names = _split(text)
    if not all(_NAME.fullmatch(name) for name in names):
        msg = "a comma-separated list of names"
        raise ValueError(msg)
    return (ANYONE,) if ANYONE in names else names


def _portals(text: str) -> tuple[int, ...] | str:
    what = "portal ids, comma-separated, or *"
    if text == ANYONE:
        return ANYONE
    return tuple(_whole(item, 1, _LARGEST_ID, what) for item in _split(text))


def _word(text: str) -> str:
    if not _NAME.fullmatch(text):
        msg = "one word"
        raise ValueError(msg)
    return text


def _secret(text: str) -> Secret:
    return Secret(_word(text))


def _secrets(text: str) -> tuple[Secret, ...]:
    items = _split(text)
    if not items or not all(_NAME.fullmatch(item) for item in items):
        msg = "one or more words, comma-separated"
        raise ValueError(msg)
    return tuple(map(Secret, items))


def _fernet_keys(text: str) -> tuple[Secret, ...]:
    keys = _secrets(text)
    if not all(_is_fernet_key(key.reveal()) for key in keys):
        msg = "keys of 32 random bytes in URL-safe base64, comma-separated, the newest first"
        raise ValueError(msg)
    return keys


def _is_fernet_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, altchars=b"-_", validate=True)) == _FERNET_KEY_BYTES
    except (binascii.Error, ValueError):
        return False


WORD = Kind(_word)
DURATION = Kind(_duration, _show_duration)
SIZE = Kind(_size, _show_size)
NAMESPACE = Kind(_namespace)
API_VERSION = Kind(_api_version)
NAMES = Kind(_names, _shown)
PORTALS = Kind(_portals, _shown)
PORTAL = whole(1, _LARGEST_ID)
PORT = whole(0, 65_535)
ORIGIN = Kind(urls.origin, secret=True)
CALLBACK_URL = Kind(urls.callback_url, secret=True)
WEB_URL = Kind(urls.web_url, secret=True)
REDIS_URL = Kind(urls.redis_url, secret=True)
STREAMS_URL = Kind(urls.streams_url, secret=True)
SECRET = Kind(_secret, secret=True)
SECRETS = Kind(_secrets, secret=True)
FERNET_KEYS = Kind(_fernet_keys, secret=True)
