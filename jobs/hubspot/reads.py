"""What the client hands up: decoded, judged complete, with HubSpot's clock beside it."""

from collections.abc import Mapping

import msgspec

from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.schema import Call, CallPage, SearchPage, Undecodable


class CallsRead(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a batch read: each asked id is in exactly one of the places below."""

    calls: Mapping[str, Call]
    """By the id under which HubSpot answered; one that was not asked for is a merge's survivor."""
    missing: frozenset[str]
    """Ids that HubSpot's error names as not found."""
    refused: Mapping[str, str]
    """Ids that HubSpot's errors name for another reason -> the error's category."""
    undecodable: tuple[Undecodable, ...]
    """Records that were answered and cannot be read."""
    unanswered: tuple[str, ...]
    """Asked, and neither answered nor named: to be read singly."""
    date_ms: int | None
    """HubSpot's clock in epoch ms, from the answer's `Date`."""
    elapsed_ms: int
    """How long the answer took."""


class CallRead(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a single read."""

    call: Call | None
    """None if HubSpot has no such call, or its record cannot be read; under another id than the
    asked one if it was merged."""
    undecodable: Undecodable | None = None
    """The record, if it cannot be read."""
    date_ms: int | None
    elapsed_ms: int


class Begun(msgspec.Struct, frozen=True):
    """Associations of one call with one type of object, as far as they were read."""

    ids: tuple[str, ...]
    """As answered, repetitions included."""
    after: str | None = None
    """The cursor of the next page; None = these are all."""


class AssociationsRead(msgspec.Struct, frozen=True, kw_only=True):
    """All associations of some calls with objects of one type."""

    ids: Mapping[str, tuple[str, ...]]
    """Each call that was asked for -> the other sides, unique, in ascending order."""
    undecodable: tuple[Undecodable, ...]
    """Rows that cannot be read; their calls are not in `ids`."""
    begun: Mapping[str, Begun] = {}
    """Calls that have more pages than were read: they are not in `ids`."""
    failure: PortalFailure | None = None
    """Why no more were read; None if all were, or as many as one reading takes."""
    requests: int
    """How many it took, pages and all."""


class PageRead(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the listing."""

    page: CallPage
    date_ms: int | None
    elapsed_ms: int


class SearchRead(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a search."""

    page: SearchPage
    date_ms: int | None
    """HubSpot's clock in epoch ms, from the answer's `Date`."""
    elapsed_ms: int
