"""One call: what it is now is the fold of everything that ever happened to it."""

from collections.abc import Iterable, Mapping

import msgspec

CALL_TYPE = "0-48"
"""HubSpot's object type id of calls."""

NOTHING: Mapping[str, str] = {}


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who changed something, as HubSpot names it."""

    source: str = "CRM_UI"
    """`changeSource` of the notification, `sourceType` of the history."""
    source_id: str = ""


SOMEBODY = Actor()


class Link(msgspec.Struct, frozen=True, gc=False):
    """An association from a call."""

    to_type: str
    """The other side's object type, plural name."""
    to_id: int
    type_id: int
    """HubSpot's association type id."""


class Change(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing that happened to one call. Nothing about a call changes without one."""

    at: int
    """When, in epoch ms."""
    kind: str
    """`created`, `updated`, `archived`, `restored`, `purged`, `erased` (the same for privacy),
    `merged` (went into another one), `absorbed` (took others in), `associated` or `dissociated`."""
    call_id: int
    by: Actor = SOMEBODY
    values: Mapping[str, str] = NOTHING
    """The new value of each property that changed; empty = cleared."""
    link: Link | None = None
    other_ids: tuple[int, ...] = ()
    """Of `absorbed`: the calls that went away. Of `merged`: the surviving call."""
    primary_id: int = 0
    """Of `absorbed`: the call that the others were merged into; not the survivor if that is new."""


class Call:
    """A call as HubSpot holds it."""

    __slots__ = (
        "archived_at",
        "changes",
        "id",
        "links",
        "merged_into",
        "read_at",
        "state",
        "values",
    )

    def __init__(self, call_id: int) -> None:
        self.id = call_id
        self.state = "unborn"
        """`live`, `archived`, `gone` (purged, unknown to the API) or `merged`."""
        self.values: Mapping[str, str] = NOTHING
        """Never changed in place: a call that nobody edited shares them with its creation."""
        self.archived_at = 0
        self.merged_into = 0
        self.read_at = 0
        """When it was last read, in epoch ms: the moment the request came in; 0 = never. Here, so
        that reading all calls takes no memory."""
        self.links: dict[str, dict[int, tuple[int, ...]]] = {}
        """Association type ids by object type and id of the other side."""
        self.changes: list[Change] = []

    @property
    def created_at(self) -> str:
        """RFC 3339 time of creation."""
        return self.values.get("hs_createdate", "")

    @property
    def updated_at(self) -> str:
        """RFC 3339 time of the last change of a property."""
        return self.values.get("hs_lastmodifieddate", "")

    def apply(self, change: Change) -> None:
        """Take one change in."""
        self.changes.append(change)
        match change.kind:
            case "created":
                self.state, self.values = "live", change.values
            case "updated" | "absorbed":
                self._set(change.values)
            case "archived":
                self.state, self.archived_at = "archived", change.at
                self._set(change.values)
            case "restored":
                self.state, self.archived_at = "live", 0
                self._set(change.values)
            case "purged" | "erased":
                self.state, self.values, self.links = "gone", NOTHING, {}
            case "merged":
                self.state, self.merged_into, self.links = "merged", change.other_ids[0], {}
            case _ if change.link:
                self._relink(change.link, add=change.kind == "associated")
                self._set(change.values)
            case _:
                pass

    def _set(self, values: Mapping[str, str]) -> None:
        if values:
            both = {**self.values, **values}
            self.values = {name: value for name, value in both.items() if value}

    def _relink(self, link: Link, *, add: bool) -> None:
        targets = self.links.setdefault(link.to_type, {})
        left = tuple(item for item in targets.pop(link.to_id, ()) if item != link.type_id)
        if add:
            left = (*left, link.type_id)
        if left:
            targets[link.to_id] = left

    def every_link(self) -> list[Link]:
        """Return all associations."""
        return [
            Link(to_type, to_id, type_id)
            for to_type, targets in self.links.items()
            for to_id, types in targets.items()
            for type_id in types
        ]

    def at(self, at_ms: int) -> "Call":
        """Return the call as it was at that time; `unborn` if it was not there yet."""
        return fold(self.id, (change for change in self.changes if change.at <= at_ms))

    def before(self, steps: int) -> "Call":
        """Return the call as it was so many changes ago, at least as created."""
        return fold(self.id, self.changes[: max(1, len(self.changes) - steps)])


def fold(call_id: int, changes: Iterable[Change]) -> Call:
    """Return the call that these changes make."""
    call = Call(call_id)
    for change in changes:
        call.apply(change)
    return call
