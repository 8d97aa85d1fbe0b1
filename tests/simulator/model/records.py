"""A call as the API writes it."""

from collections.abc import Iterable, Mapping

from tests.simulator.clock import iso
from tests.simulator.model.calls import Call
from tests.simulator.model.properties import DEFAULTS, Projection

Json = object


def project(
    known: Mapping[str, object], wanted: Iterable[str], history: Iterable[str] = ()
) -> Projection:
    """Return what to answer: unknown names are silently ignored, the default ones always there."""
    past = tuple(dict.fromkeys(name for name in history if name in known))
    names = {name for name in (*wanted, *past) if name in known}
    return Projection(tuple(sorted(names.union(DEFAULTS))), past)


def record(call: Call, projection: Projection) -> dict[str, Json]:
    """Return the record of a call: a property without a value is null."""
    values = call.values
    body: dict[str, Json] = {
        "id": str(call.id),
        "properties": {name: values.get(name) for name in projection.names},
        "createdAt": call.created_at,
        "updatedAt": call.updated_at,
        "archived": call.state == "archived",
    }
    if call.state == "archived":
        body["archivedAt"] = iso(call.archived_at)
    if projection.history:
        body["propertiesWithHistory"] = {
            name: list(history(call, name)) for name in projection.history
        }
    return body


def history(call: Call, name: str) -> Iterable[dict[str, Json]]:
    """Yield every value that a property ever had, newest first."""
    for change in reversed(call.changes):
        if name in change.values:
            entry: dict[str, Json] = {
                "value": change.values[name],
                "timestamp": iso(change.at),
                "sourceType": change.by.source,
            }
            if change.by.source_id:
                entry["sourceId"] = change.by.source_id
            kind, _, user = change.by.source_id.partition(":")
            if kind == "userId":
                entry["updatedByUserId"] = int(user)
            yield entry
