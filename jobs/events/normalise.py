"""HubSpot's call to our call: pure and total. Field by field in `docs/normaliser.md`.

Three rules for every field: an absent, null or empty property is None; a value that does not parse
is None; either way the raw value stays in `properties`. Only wanted properties are looked at, so
that what an event says depends on nothing that its digest leaves out.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final

from callstream_client import events

from jobs import instants
from jobs.hubspot import schema

DEFAULT_DISPOSITIONS: Final[Mapping[str, str]] = {
    "9d9162e7-6cf3-4944-bf63-4dff82258764": "Busy",
    "f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected",
    "a4c4c377-d246-4b32-a13b-75a56a4cd0ff": "Left live message",
    "b2cf5968-551e-4856-9783-52b3da59a7d0": "Left voicemail",
    "73a0d17f-1163-4015-bdd5-ec830791da20": "No answer",
    "17b47fee-58de-441e-a44c-c6300d46f273": "Wrong number",
}
"""The outcomes that every account starts with (calls guide, "hs_call_disposition")."""

LONGEST_DURATION_MS: Final = 2**53 - 1
"""The last integer that every JSON reader keeps exact."""

_number: Final = re.compile(r"([0-9]{1,16})(?:\.[0-9]+)?").fullmatch
_LENGTH: Final = len("2024-01-15T11:00:00.000Z")
_BOOLEANS: Final[Mapping[str, bool]] = {"true": True, "false": False}


def normalise(
    call: schema.Call,
    associations: Mapping[str, Collection[str]],
    dispositions: Mapping[str, str],
    wanted: Iterable[str] | None = None,
) -> events.Call:
    """Return the call as events carry it.

    Args:
        call: the record as HubSpot answered it.
        associations: ids of associated records by type, in any order, repetitions included.
        dispositions: labels of the account's own call outcomes by id; the six that every account
            starts with are known without.
        wanted: names of the properties that the deployment reads; None takes all that came.
    """
    properties = dict(call.properties) if wanted is None else _only(wanted, call.properties)
    get = properties.get
    return events.Call(
        id=call.id,
        title=get("hs_call_title") or None,
        body=get("hs_call_body") or None,
        direction=_lower(get("hs_call_direction")),
        status=_lower(get("hs_call_status")),
        outcome=_outcome(get("hs_call_disposition"), dispositions),
        duration_ms=_duration(get("hs_call_duration")),
        started_at=_instant(get("hs_timestamp")),
        from_number=get("hs_call_from_number") or None,
        to_number=get("hs_call_to_number") or None,
        recording_url=get("hs_call_recording_url") or None,
        has_voicemail=_BOOLEANS.get((get("hs_call_has_voicemail") or "").lower()),
        source=get("hs_call_source") or None,
        owner_id=get("hubspot_owner_id") or None,
        created_at=instants.to_text(call.created_at),
        updated_at=instants.to_text(call.updated_at),
        archived=call.archived,
        archived_at=_archived_at(call),
        url=call.url or None,
        associations={
            kind: schema.sorted_ids(ids) if len(ids) > 1 else tuple(ids)
            for kind, ids in sorted(associations.items())
            if ids
        },
        properties=properties,
    )


def _only(wanted: Iterable[str], properties: Mapping[str, str | None]) -> dict[str, str | None]:
    kept = dict(properties)
    for name in _unwanted(tuple(kept), wanted if isinstance(wanted, tuple) else tuple(wanted)):
        del kept[name]
    return kept


@lru_cache(maxsize=256)
def _unwanted(answered: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names to leave out; HubSpot answers some unasked, the same ones on every call."""
    return tuple(set(answered).difference(wanted))


def _lower(value: str | None) -> str | None:
    return value.lower() if value else None


def _outcome(value: str | None, dispositions: Mapping[str, str]) -> events.Outcome | None:
    if not value:
        return None
    label = dispositions.get(value)
    return events.Outcome(value, label or DEFAULT_DISPOSITIONS.get(value.lower()))


def _duration(value: str | None) -> int | None:
    """Return whole ms; a fraction of one is dropped."""
    match = _number(value) if value else None
    duration = int(match[1]) if match else None
    return duration if duration is not None and duration <= LONGEST_DURATION_MS else None


def _instant(value: str | None) -> str | None:
    instant = instants.parse(value) if value else None
    if instant is None or value is None:
        return None
    return value if _is_as_events_write(value) else instants.to_text(instant)


def _is_as_events_write(time: str) -> bool:
    """Tell whether a time that was read is UTC with milliseconds, as HubSpot's mostly are."""
    return len(time) == _LENGTH and time[10] == "T" and time[19] == "." and time[23] == "Z"


def _archived_at(call: schema.Call) -> str | None:
    """Return when it was archived; HubSpot's value on a live call is no answer to that."""
    if not call.archived or call.archived_at is None:
        return None
    return instants.to_text(call.archived_at)
