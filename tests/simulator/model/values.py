"""What may be written into properties, and what HubSpot makes of it."""

import math
from collections.abc import Mapping

import msgspec

from tests.simulator.clock import iso, parse_time
from tests.simulator.model.definitions import Definition

Written = str | int | float | bool | None
LONGEST = 65_536


class Problem(msgspec.Struct, frozen=True):
    """Why a value cannot be written."""

    name: str
    code: str
    message: str


def as_text(value: Written) -> str:
    """Return a JSON value as the string that HubSpot stores; null clears."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def clean(
    definitions: Mapping[str, Definition], written: Mapping[str, Written]
) -> tuple[dict[str, str], list[Problem]]:
    """Return the values as they are stored, and what is wrong with the others."""
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for name, given in written.items():
        definition, value = definitions.get(name), as_text(given)
        if definition is None or definition.archived:
            problems.append(
                Problem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name[:80]}" does not exist')
            )
        elif definition.read_only:
            message = f'"{name}" is a read only property; its value cannot be set.'
            problems.append(Problem(name, "READ_ONLY_VALUE", message))
        elif len(value) > LONGEST:
            message = f"{name} was longer than {LONGEST} characters"
            problems.append(Problem(name, "VALUE_TOO_LONG", message))
        else:
            stored = _stored(definition, value) if value else value
            if stored is None:
                code = f"INVALID_{definition.type.upper()}"
                message = f"{value[:80]} was not a valid {definition.type}."
                problems.append(Problem(name, code, message))
            else:
                values[name] = stored
    return values, problems


def _stored(definition: Definition, value: str) -> str | None:
    """Return a value in the form in which it is read again; None if it is not of the type."""
    kind = definition.type
    if kind == "datetime":
        try:
            return iso(parse_time(value))
        except (ValueError, OverflowError):
            return None
    if kind == "number":
        return value if _is_number(value) else None
    if kind == "bool":
        return value.lower() if value.lower() in ("true", "false") else None
    if kind == "enumeration" and definition.options:
        return next((o.value for o in definition.options if o.value == value), None)
    return value


def _is_number(value: str) -> bool:
    try:
        return value.isascii() and math.isfinite(float(value)) and "_" not in value
    except ValueError:
        return False
