"""One call record as HubSpot answers it, and the ways in which one is still readable.

Strict where a wrong guess would name another call or reorder its states: ids are decimal, times
are RFC 3339 with an offset, `archived` is there. Tolerant where HubSpot is: unknown keys are passed
over, optional fields may be null or absent, `propertiesWithHistory` and `warnings` may have any
form, an id may be a number, and a property value that is no text is kept as its JSON text.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from jobs.hubspot.loose import DECODING, dumps, loads, members, text_of
from jobs.instants import Instant

ObjectId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,20}\Z")]
"""A HubSpot record id: decimal, 64 bits."""

_is_id: Final = re.compile(r"[0-9]{1,20}").fullmatch


class NextPage(msgspec.Struct, frozen=True, gc=False):
    """How to ask for the next page."""

    after: Annotated[str, msgspec.Meta(min_length=1)] | int
    """Opaque; sent back exactly as received."""
    link: str | None = None
    """Never followed: it may point anywhere."""


class Paging(msgspec.Struct, frozen=True, gc=False):
    """Where a listing goes on; absent on its last page."""

    next: NextPage | None = None

    @property
    def after(self) -> str | None:
        """The cursor of the next page, None on the last one."""
        return None if self.next is None else str(self.next.after)


class AssociatedId(msgspec.Struct, frozen=True, gc=False):
    """The other side of an association inside a call record; may repeat under other types."""

    id: ObjectId
    type: str | None = None


class AssociatedIds(msgspec.Struct, frozen=True, gc=False):
    """The first associations of one type inside a call record, with their own paging."""

    results: tuple[AssociatedId, ...] = ()
    paging: Paging | None = None


class PropertyVersion(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One past value of a property; HubSpot's `ValueWithTimestamp`."""

    value: str | None = None
    timestamp: Instant | None = None
    source_type: str | None = None
    source_id: str | None = None
    source_label: str | None = None
    updated_by_user_id: int | None = None

    def __repr__(self) -> str:
        """Return when it was set, without the value."""
        return f"PropertyVersion(timestamp={self.timestamp})"


class Call(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """A call; HubSpot's `SimplePublicObjectWithAssociations`."""

    id: ObjectId
    properties: Mapping[str, str | None]
    """Every value is text, numbers and times too; null = asked for and empty."""
    created_at: Instant
    updated_at: Instant
    archived: bool
    archived_at: Instant | None = None
    """May be there although `archived` is false."""
    associations: Mapping[str, AssociatedIds | None] | None = None
    """Only where a listing or a single read asked for them; never in a batch."""
    url: str | None = None
    object_write_trace_id: str | None = None
    properties_with_history: msgspec.Raw = msgspec.Raw()
    """Undecoded, since its form varies; see `history`."""
    warnings: msgspec.Raw = msgspec.Raw()
    """Undecoded: `[{category, message, context}]` where HubSpot has something to say."""

    def __repr__(self) -> str:
        """Return which call it is and from when, without its properties."""
        return f"Call(id={self.id!r}, updated_at={self.updated_at}, archived={self.archived})"


class Undecodable(msgspec.Struct, frozen=True, gc=False):
    """A record set aside, so that the rest of its answer could go on."""

    call_id: str | None
    """The call it is about, as far as that could be told."""
    raw: bytes
    """The record's JSON."""
    error: str
    """What is wrong and where, without values of the record."""

    def __repr__(self) -> str:
        """Return what is wrong, without the record."""
        return f"Undecodable(call_id={self.call_id!r}, error={self.error!r})"


_call: Final = msgspec.json.Decoder(Call)
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_versions: Final = msgspec.json.Decoder(tuple[PropertyVersion, ...])


def read_call(raw: bytes | msgspec.Raw) -> Call:
    """Return the call of one record.

    Raises:
        ValueError, RecursionError: it is not one, mended or not; no values in the message.
    """
    try:
        return _call.decode(raw)
    except DECODING as error:
        try:
            return _call.decode(_mend_call(bytes(raw)))
        except DECODING:
            raise error from None


def history(call: Call) -> dict[str, tuple[PropertyVersion, ...]]:
    """Return the past values by property; what has another form is left out."""
    found: dict[str, tuple[PropertyVersion, ...]] = {}
    try:
        members = _members.decode(call.properties_with_history)
    except DECODING:
        return found
    for name, versions in members.items():
        try:
            found[name] = _versions.decode(versions)
        except DECODING:
            continue
    return found


def call_id_of(raw: bytes) -> str | None:
    """Return the id in a record that does not decode, None if there is none."""
    return as_id(members(loads(raw)).get("id"))


def as_id(value: object) -> str | None:
    """Return a decimal id as it is, None for anything else."""
    return value if isinstance(value, str) and _is_id(value) else None


def _mend_call(raw: bytes) -> bytes:
    """Return the record with its id and property values as text."""
    record = members(loads(raw))
    properties = record.get("properties")
    if isinstance(properties, dict):
        values = {name: text_of(value) for name, value in members(properties).items()}
        record = {**record, "properties": values}
    return dumps(record)
