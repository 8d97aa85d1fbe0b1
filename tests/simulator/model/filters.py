"""Search filters: what an operator means for a type of property."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from tests.simulator.clock import parse_time
from tests.simulator.model.calls import Call
from tests.simulator.model.definitions import Definition

Operator = Literal[
    "EQ",
    "NEQ",
    "LT",
    "LTE",
    "GT",
    "GTE",
    "BETWEEN",
    "IN",
    "NOT_IN",
    "HAS_PROPERTY",
    "NOT_HAS_PROPERTY",
    "CONTAINS_TOKEN",
    "NOT_CONTAINS_TOKEN",
]
Key = float | int | str
Test = Callable[[Call], bool]

_WORD = re.compile(r"[\w*]+")


class FilterError(ValueError):
    """A search that HubSpot refuses, and why."""


class Filter(msgspec.Struct, frozen=True, rename="camel"):
    """One condition on one property."""

    property_name: str
    operator: Operator
    value: str | int | float | bool | None = None
    values: Sequence[str | int | float] | None = None
    high_value: str | int | float | None = None


def text(value: object) -> str:
    """Return a filter's value as HubSpot reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def key(kind: str, value: str) -> Key:
    """Return what values of a type are compared by.

    Raises:
        FilterError: the value is not of that type.
    """
    try:
        if kind == "number":
            return int(value) if value.removeprefix("-").isdecimal() else float(value)
        if kind in ("datetime", "date"):
            return parse_time(value)
    except (ValueError, OverflowError) as error:
        message = f"{value[:80]!r} was not a valid {kind}"
        raise FilterError(message) from error
    return value.casefold()


def compile_filter(item: Filter, definitions: Mapping[str, Definition]) -> Test:
    """Return the test of one filter; a call without the property passes only NOT_HAS_PROPERTY.

    Raises:
        FilterError: the property is unknown, or a value is missing or of another type.
    """
    name, kind = item.property_name, _type_of(item, definitions)
    if item.operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        wanted = item.operator == "HAS_PROPERTY"
        return lambda call: (name in call.values) is wanted
    judge = _judge(item, kind)

    def test(call: Call) -> bool:
        value = call.values.get(name)
        if value is None:
            return False
        try:
            return judge(key(kind, value))
        except (FilterError, TypeError):
            return False

    return test


def _type_of(item: Filter, definitions: Mapping[str, Definition]) -> str:
    definition = definitions.get(item.property_name)
    if definition is None or item.property_name == "hs_body_preview_html":
        message = f"Property {item.property_name[:80]!r} does not exist or cannot be filtered"
        raise FilterError(message)
    return definition.type


def _judge(item: Filter, kind: str) -> Callable[[Key], bool]:
    operator = item.operator
    if operator in ("IN", "NOT_IN"):
        if not item.values:
            message = f"operator {operator} requires values"
            raise FilterError(message)
        options = {key(kind, text(value)) for value in item.values}
        return lambda found: (found in options) is (operator == "IN")
    if item.value is None:
        message = f"operator {operator} requires a value"
        raise FilterError(message)
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        pattern = tokens(text(item.value))
        return lambda found: pattern(str(found)) is (operator == "CONTAINS_TOKEN")
    low = key(kind, text(item.value))
    if operator == "BETWEEN":
        if item.high_value is None:
            message = "operator BETWEEN requires a highValue"
            raise FilterError(message)
        high = key(kind, text(item.high_value))
        return lambda found: bool(low <= found <= high)  # type: ignore[operator]
    return _ordered(operator, low)


def _ordered(operator: str, low: Key) -> Callable[[Key], bool]:
    judges: dict[str, Callable[[Key], bool]] = {
        "EQ": lambda found: found == low,
        "NEQ": lambda found: found != low,
        "LT": lambda found: bool(found < low),  # type: ignore[operator]
        "LTE": lambda found: bool(found <= low),  # type: ignore[operator]
        "GT": lambda found: bool(found > low),  # type: ignore[operator]
        "GTE": lambda found: bool(found >= low),  # type: ignore[operator]
    }
    return judges[operator]


def tokens(wanted: str) -> Callable[[str], bool]:
    """Return whether a text has all these words; `*` stands for anything within one."""
    patterns = [
        re.compile(re.escape(word.casefold()).replace(r"\*", r"\w*"))
        for word in _WORD.findall(wanted)
    ]

    def test(found: str) -> bool:
        words = _WORD.findall(found.casefold())
        return all(any(pattern.fullmatch(word) for word in words) for pattern in patterns)

    return test
