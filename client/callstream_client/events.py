"""What lies on a call stream: CloudEvents 1.0, one an entry, as frozen structs.

An entry's fields are the CloudEvents attributes; `data` is UTF-8 JSON whose shape these structs
define, for the writer and the reader alike. Enumerations grow and fields are only ever added, so
types, kinds and origins are plain strings: the constants here are those known to this release.

Times are RFC 3339 in UTC with milliseconds, such as `2024-01-15T11:00:00.000Z`, kept as text.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

CREATED: Final = "callstream.call.created"
"""A call that was never seen before and is new in HubSpot."""
UPDATED: Final = "callstream.call.updated"
"""A known call whose state changed."""
DELETED: Final = "callstream.call.deleted"
"""A call that was archived, merged away or purged."""
RESTORED: Final = "callstream.call.restored"
"""A deleted call that lives again."""
SNAPSHOT: Final = "callstream.call.snapshot"
"""The first sight of a call that is not new, as in a backfill."""
TRIMMED: Final = "callstream.stream.trimmed"
"""Entries that a known group had not read were trimmed."""
ACCOUNT_REMOVED: Final = "callstream.account.removed"
"""An account was disconnected for good."""

CALL_EVENT_SCHEMA: Final = "urn:callstream:schema:call-event:v1"
"""`dataschema` of an entry whose `data` is `CallEventData`."""
NOTICE_SCHEMA: Final = "urn:callstream:schema:notice:v1"
"""`dataschema` of an entry whose `data` is `NoticeData`."""

ORIGINS: Final = ("webhook", "journal", "reconciliation", "backfill", "replay")
"""What made Callstream look at a call; of several the first in this order is named."""

SPEC_VERSION: Final = "1.0"
"""The CloudEvents version of every entry."""
CONTENT_TYPE: Final = "application/json"
"""The `datacontenttype` of every entry."""

FIELDS: Final = (
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "partitionkey",
    "sequence",
    "traceparent",
    "data",
)
"""The fields of an entry, in the order in which they are written; absent where they say nothing."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """How a call ended."""

    id: str
    """The disposition's id, a GUID, as HubSpot sent it."""
    label: str | None = None
    """Its name in the account, None if the account does not list it."""


class Call(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call as HubSpot had it when it was read.

    A property that is empty, does not parse or is not read by the deployment leaves its field None;
    the first two are still in `properties` as HubSpot sent them.
    """

    id: str
    title: str | None = None
    body: str | None = None
    """The notes; may be HTML."""
    direction: str | None = None
    """`inbound`, `outbound`, or what HubSpot invents later, in lower case."""
    status: str | None = None
    """Such as `completed`, `no_answer` or `missed`, in lower case."""
    outcome: Outcome | None = None
    duration_ms: int | None = None
    """How long it lasted, in ms."""
    started_at: str | None = None
    """When the call took place."""
    from_number: str | None = None
    to_number: str | None = None
    recording_url: str | None = None
    has_voicemail: bool | None = None
    """Of a missed call: whether a voicemail was left; None where it does not apply."""
    source: str | None = None
    """HubSpot's word for what logged the call, as sent."""
    owner_id: str | None = None
    """The HubSpot owner."""
    created_at: str
    """When the record was created in HubSpot."""
    updated_at: str
    """HubSpot's last modification time when the event was published."""
    archived: bool
    archived_at: str | None = None
    """When it was archived; None unless `archived`."""
    url: str | None = None
    """The record's page in HubSpot, where HubSpot gives one."""
    associations: Mapping[str, tuple[str, ...]] = {}
    """Ids of associated records by type, such as `contacts`; a type without any is absent."""
    properties: Mapping[str, str | None] = {}
    """Every wanted property by HubSpot's name, its value as HubSpot sent it."""

    def __repr__(self) -> str:
        """Return which call it is, without what was said on it."""
        return f"Call(id={self.id!r}, updated_at={self.updated_at!r}, archived={self.archived!r})"


class Change(msgspec.Struct, frozen=True, gc=False):
    """What one notification said: a hint, never the state."""

    kind: str
    """Such as `creation`, `propertyChange`, `associationChange`, `deletion`."""
    property: str | None = None
    """The property of a `propertyChange`."""
    occurred_at: str | None = None
    source: str | None = None
    """HubSpot's `changeSource`, such as `CRM_UI`."""


class CallEventData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The payload of a call event."""

    portal_id: int
    """The HubSpot account."""
    call_id: str
    origin: str
    """One of `ORIGINS`, or a later one."""
    merged_into: str | None = None
    """The call that this one was merged into."""
    changes_truncated: bool = False
    """True if there were more notifications than `changes` holds."""
    changes: tuple[Change, ...] = ()
    """What notifications said, oldest first: bounded, may be empty, may repeat."""
    call: Call | None = None
    """The state; None if HubSpot no longer gives one."""


class NoticeData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The payload of a notice."""

    portal_id: int | None = None
    partition: int
    first_id: str | None = None
    """The first stream entry that it is about."""
    last_id: str | None = None
    """The last one."""
    groups: tuple[str, ...] = ()
    """The consumer groups that it concerns."""


class CallEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call's state, and why it was published."""

    id: str
    """Portal, call and version: never names two different states."""
    source: str
    """The deployment and account, as a path."""
    type: str
    """One of `CREATED`, `UPDATED`, `DELETED`, `RESTORED`, `SNAPSHOT`, or a later one."""
    subject: str
    """The call's id."""
    time: str
    """The latest time among the notifications it answers; never to be used for order."""
    partition_key: str
    """Portal and call: what `sequence` is comparable within."""
    sequence: str
    """The version: opaque, to be compared as text, per call only."""
    traceparent: str | None = None
    """The W3C trace context of the publisher, when tracing is on."""
    data: CallEventData


class NoticeEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something about a stream or an account rather than about one call."""

    id: str
    source: str
    type: str
    """`TRIMMED`, `ACCOUNT_REMOVED`, or a later one."""
    subject: str | None = None
    time: str
    data: NoticeData


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry that this release cannot read; a consumer acknowledges it and goes on."""

    reason: str
    """Why, without any value of the entry."""
    fields: Mapping[bytes, bytes]
    """The entry as it lies on the stream."""

    def __repr__(self) -> str:
        """Return why, without the entry."""
        return f"UnknownEvent(reason={self.reason!r})"


Event = CallEvent | NoticeEvent | UnknownEvent
"""Whatever an entry holds."""

_encoder = msgspec.json.Encoder()
_call_event_data = msgspec.json.Decoder(CallEventData)
_notice_data = msgspec.json.Decoder(NoticeData)


def encode_data(data: CallEventData | NoticeData) -> bytes:
    """Return the `data` field of an entry.

    Raises:
        UnicodeEncodeError: a text holds half a surrogate pair.
    """
    return _encoder.encode(data)


def decode(fields: Mapping[bytes, bytes]) -> Event:
    """Return what an entry holds; never raises.

    The shape is told by `dataschema` alone, so an event of a later type still carries its call.
    """
    schema = fields.get(b"dataschema", b"").decode(errors="replace")
    try:
        if schema == CALL_EVENT_SCHEMA:
            return _call_event(fields)
        if schema == NOTICE_SCHEMA:
            return _notice(fields)
    except KeyError as error:
        return UnknownEvent(reason=f"field {error.args[0].decode()} is missing", fields=fields)
    # RecursionError: nesting deeper than the decoder follows, within an unknown key.
    except (ValueError, RecursionError) as error:
        return UnknownEvent(reason=f"{type(error).__name__}: not a {schema}", fields=fields)
    return UnknownEvent(reason="unknown dataschema", fields=fields)


def _call_event(fields: Mapping[bytes, bytes]) -> CallEvent:
    traceparent = fields.get(b"traceparent")
    return CallEvent(
        id=fields[b"id"].decode(),
        source=fields[b"source"].decode(),
        type=fields[b"type"].decode(),
        subject=fields[b"subject"].decode(),
        time=fields[b"time"].decode(),
        partition_key=fields[b"partitionkey"].decode(),
        sequence=fields[b"sequence"].decode(),
        traceparent=None if traceparent is None else traceparent.decode(),
        data=_call_event_data.decode(fields[b"data"]),
    )


def _notice(fields: Mapping[bytes, bytes]) -> NoticeEvent:
    subject = fields.get(b"subject")
    return NoticeEvent(
        id=fields[b"id"].decode(),
        source=fields[b"source"].decode(),
        type=fields[b"type"].decode(),
        subject=None if subject is None else subject.decode(),
        time=fields[b"time"].decode(),
        data=_notice_data.decode(fields[b"data"]),
    )
