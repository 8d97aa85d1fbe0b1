"""How requests say what they want: query parameters, object types, versions, ids."""

from collections.abc import Iterable
from typing import Protocol
from urllib.parse import parse_qs

import msgspec

from tests.simulator.answers import HubSpotError, invalid, not_found
from tests.simulator.caller import Caller, HubSpotRequest, caller_of
from tests.simulator.model.calls import Call
from tests.simulator.model.kinds import plural

VERSIONS = ("v3", "2025-09", "2026-03", "2026-09-beta", "2026-09", "2027-03-beta")
"""Every version of a path; one that is not here is a 404."""


class Query:
    """The query of a request: repeated keys and comma-joined values mean the same."""

    def __init__(self, request: HubSpotRequest) -> None:
        raw = request.scope["query_string"].decode("latin-1")
        self._values = parse_qs(raw, keep_blank_values=True)

    def one(self, name: str, default: str = "") -> str:
        """Return the last value of a parameter."""
        return self._values.get(name, [default])[-1]

    def many(self, name: str) -> list[str]:
        """Return all values of a parameter."""
        joined = ",".join(self._values.get(name, ()))
        return [item.strip() for item in joined.split(",") if item.strip()]

    def flag(self, name: str) -> bool:
        """Return a boolean parameter, false by default."""
        text = self.one(name, "false").lower()
        if text not in ("true", "false"):
            message = f"{name} was not a valid boolean"
            raise invalid(message)
        return text == "true"

    def number(self, name: str, default: int, most: int) -> int:
        """Return a whole number from 1 to `most`."""
        text = self.one(name, str(default))
        value = whole_number(text)
        if value is None or not 1 <= value <= most:
            message = f"{name} must be between 1 and {most}, it was {text[:40]!r}"
            raise invalid(message)
        return value


class Named(Protocol):
    """An input that names a record."""

    @property
    def id(self) -> str | int:
        """The record's id."""
        ...


class Input(msgspec.Struct):
    """One id of a batch; HubSpot takes numbers as well."""

    id: str | int


def whole_number(text: str | int) -> int | None:
    """Return a non-negative int64 that is written in plain digits, else None."""
    digits = str(text)
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        return None
    value = int(digits)
    return value if value < 2**63 else None


def of_version(request: HubSpotRequest) -> Caller:
    """Return who asks.

    Raises:
        HubSpotError: 404, the version never was, or it is one of the other path style.
    """
    caller, path = caller_of(request), request.scope["path"]
    dated = path.startswith("/crm/") and not path.startswith(f"/crm/{caller.version}/")
    old = caller.version == "v3"
    if caller.version not in VERSIONS or (path.startswith("/crm/") and dated == old):
        raise not_found()
    return caller


def of_calls(request: HubSpotRequest) -> Caller:
    """Return who asks for calls.

    Raises:
        HubSpotError: 404 as above, or for types whose records are not simulated; 400 for others.
    """
    caller = of_version(request)
    kind = caller.params["kind"]
    known = plural(kind)
    if known is None:
        message = f"Unable to infer object type from: {kind[:80]}"
        raise invalid(message)
    if known != "calls":
        message = f"The simulator holds no records of {known}, only their associations with calls."
        raise HubSpotError(404, "OBJECT_NOT_FOUND", message)
    return caller


async def of_one_call(request: HubSpotRequest) -> tuple[Caller, str]:
    """Return who asks for one call, and its id; faults that wait for it strike."""
    caller = of_calls(request)
    object_id = caller.params["object_id"]
    await caller.strike(frozenset(filter(None, [whole_number(object_id)])))
    return caller, object_id


def lookup(caller: Caller, call_id: str | int, *, archived: bool) -> Call | None:
    """Return the call that a read of this id finds, which may be a merge's survivor."""
    account = caller.account
    number = whole_number(call_id)
    call = account.calls.get(number) if number is not None else None
    if call is None:
        return None
    while call.state == "merged" and caller.simulator.knobs.merged_ids == "survivor":
        call = account.calls[call.merged_into]
    seen = caller.seen(call)
    return seen if seen.state == ("archived" if archived else "live") else None


def ids_of(inputs: Iterable[Named]) -> frozenset[int]:
    """Return the ids of a batch as numbers, for faults that wait for one of them."""
    return frozenset(filter(None, (whole_number(item.id) for item in inputs)))
