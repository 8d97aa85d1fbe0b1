"""Reads JSON that the strict decoder refuses, for as much as it tells.

Python's own decoder forgives half a surrogate pair, as a cut-off emoji leaves it, and numbers of
any size. It is some twenty times slower, so it is only asked after the strict one failed.
"""

import json
from typing import Final, cast

DECODING: Final = (ValueError, RecursionError)
"""What decoding raises on bytes that are not the answer; RecursionError for nesting too deep."""

_SMALL_INT: Final = 18
"""Digits of a number that is surely 64 bits."""


def loads(raw: bytes) -> object:
    """Return the value with every number as its text, or None if it is not JSON."""
    try:
        value: object = json.loads(raw, parse_int=str, parse_float=str, parse_constant=str)
    except DECODING:
        return None
    return value


def dumps(value: object) -> bytes:
    """Return the value as JSON, each half of a surrogate pair replaced by U+FFFD.

    Raises:
        RecursionError: it is nested too deeply.
    """
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def mend(raw: bytes) -> bytes:
    """Return the JSON text without half surrogate pairs; fractions and huge numbers become text.

    Raises:
        ValueError, RecursionError: it is not JSON.
    """
    return dumps(json.loads(raw, parse_int=_int, parse_float=str, parse_constant=str))


def members(value: object) -> dict[str, object]:
    """Return the members of a decoded object, none if it is something else."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """Return the items of a decoded array, none if it is something else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text_of(value: object) -> str | None:
    """Return a text as it is, None for null, anything else as its JSON."""
    if value is None or isinstance(value, str):
        return value
    return dumps(value).decode()


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) <= _SMALL_INT else digits
