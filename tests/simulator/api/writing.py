"""What the writing routes share: input structs, validation, associations by type id."""

from collections.abc import Mapping, Sequence

import msgspec

from tests.simulator.answers import HubSpotError, Json, invalid
from tests.simulator.api.reading import whole_number
from tests.simulator.caller import Caller
from tests.simulator.model.calls import Actor, Call, Link
from tests.simulator.model.kinds import FROM_CALL
from tests.simulator.model.properties import DEFAULTS, Projection
from tests.simulator.model.records import record
from tests.simulator.model.values import Problem, Written, clean

KIND_OF_TYPE = {type_id: kind for kind, type_id in FROM_CALL.items()}


class Target(msgspec.Struct, frozen=True):
    """The other side of an association."""

    id: str | int


class Spec(msgspec.Struct, frozen=True, rename="camel"):
    """The type of an association."""

    association_type_id: int
    association_category: str = "HUBSPOT_DEFINED"


class NewLink(msgspec.Struct, frozen=True):
    """An association that comes with a new call."""

    to: Target
    types: Sequence[Spec] = ()


class NewCall(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a creation, and one input of a batch of them."""

    properties: dict[str, Written]
    associations: Sequence[NewLink] | None = None
    object_write_trace_id: str | None = None


class Edit(msgspec.Struct, frozen=True):
    """The body of an update."""

    properties: dict[str, Written]


class BatchEdit(msgspec.Struct, frozen=True, rename="camel"):
    """One input of a batch update or upsert."""

    id: str | int
    properties: dict[str, Written]
    id_property: str | None = None
    object_write_trace_id: str | None = None


def actor(caller: Caller) -> Actor:
    """Return whom a change by this request comes from."""
    return Actor("INTEGRATION", f"appId:{caller.grant.app_id}" if caller.grant else "")


def find(caller: Caller, object_id: str | int, id_property: str | None) -> Call | None:
    """Return the live call of an id, or of another property's unique value."""
    account = caller.account
    if id_property and id_property != "hs_object_id":
        definition = account.definitions.get(id_property)
        if definition is None or not definition.has_unique_value:
            message = f"{id_property[:80]!r} is not a unique property of CALL"
            raise invalid(message)
        number = account.unique_id(id_property, str(object_id))
    else:
        number = whole_number(object_id)
    call = account.calls.get(number) if number is not None else None
    return call if call is not None and call.state == "live" else None


def checked(caller: Caller, written: Mapping[str, Written], *, new: bool) -> dict[str, str]:
    """Return the values to be stored.

    Raises:
        HubSpotError: 400, naming each property that cannot be written.
    """
    values, problems = clean(caller.account.definitions, written)
    if problems:
        raise _refusal(problems)
    if new and "hs_timestamp" not in values:
        message = "Error creating CALL.  Some required properties were not set."
        raise invalid(message, context={"properties": ["hs_timestamp"]})
    if not new and not values:
        message = "No properties found to update, please provide at least one."
        raise invalid(message, context={"properties": ["{}"]})
    return values


def _refusal(problems: Sequence[Problem]) -> HubSpotError:
    details: list[Mapping[str, Json]] = [
        {
            "message": problem.message,
            "code": problem.code,
            "context": {"propertyName": [problem.name]},
        }
        for problem in problems
    ]
    listed = [
        {"isValid": False, "message": p.message, "error": p.code, "name": p.name} for p in problems
    ]
    message = f"Property values were not valid: {msgspec.json.encode(listed).decode()}"
    return HubSpotError(400, "VALIDATION_ERROR", message, errors=details)


def links_of(associations: Sequence[NewLink] | None) -> list[Link]:
    """Return the associations of a new call.

    Raises:
        HubSpotError: 400, a type or an id is unknown.
    """
    links: list[Link] = []
    for item in associations or ():
        target = whole_number(item.to.id)
        for spec in item.types:
            kind = KIND_OF_TYPE.get(spec.association_type_id)
            if kind is None or not target:
                message = (
                    f"No association type {spec.association_type_id} from CALL "
                    f"to a record {str(item.to.id)[:40]!r}"
                )
                raise invalid(message)
            links.append(Link(kind, target, spec.association_type_id))
    return links


def create(caller: Caller, values: Mapping[str, str], links: Sequence[Link]) -> Call:
    """Log a call with its associations."""
    by = actor(caller)
    call = caller.account.create(values, by)
    for link in links:
        caller.account.associate(call.id, link, by)
    return call


def written_record(
    call: Call, values: Mapping[str, str], trace_id: str | None = None
) -> dict[str, Json]:
    """Return what a write answers: what was written, and the default properties."""
    body = record(call, Projection(tuple(sorted({*values, *DEFAULTS}))))
    if trace_id is not None:
        body["objectWriteTraceId"] = trace_id
    return body
