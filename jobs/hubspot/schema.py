"""Every answer of the calls API that is read, from its bytes to frozen structs.

Listings, single calls, batch reads (200 and 207), searches, associations, error bodies,
dispositions, property definitions, account and token information. `v3` and the date versions differ
in their paths; in their answers only by an id that is a number here and text there.

An answer is decoded whole. If that fails its records are decoded one by one, so that a bad one is
set aside with its bytes and the others go on. An answer that is not JSON, or lacks what tells how
it goes on, raises `AnswerError`; no `decode_` function raises anything else.
"""

from typing import Final

import msgspec

from jobs.hubspot.about import (
    AccountDetails,
    TokenInfo,
    decode_account,
    decode_associated_types,
    decode_dispositions,
    decode_property_names,
    decode_token_info,
)
from jobs.hubspot.answer import AnswerError, Parts, Results, decode_records
from jobs.hubspot.association import (
    AssociationBatch,
    Associations,
    decode_association_batch,
    decode_associations,
    sorted_ids,
)
from jobs.hubspot.loose import DECODING, loads
from jobs.hubspot.record import (
    AssociatedId,
    AssociatedIds,
    Call,
    NextPage,
    Paging,
    PropertyVersion,
    Undecodable,
    as_id,
    call_id_of,
    history,
    read_call,
)
from jobs.hubspot.refusal import (
    OBJECT_NOT_FOUND,
    ErrorBody,
    ErrorDetail,
    decode_error,
    decode_errors,
)

__all__ = [
    "AccountDetails",
    "AnswerError",
    "AssociatedId",
    "AssociatedIds",
    "AssociationBatch",
    "Associations",
    "Call",
    "CallBatch",
    "CallPage",
    "ErrorBody",
    "ErrorDetail",
    "NextPage",
    "Paging",
    "PropertyVersion",
    "RecordError",
    "SearchPage",
    "TokenInfo",
    "Undecodable",
    "decode_account",
    "decode_associated_types",
    "decode_association_batch",
    "decode_associations",
    "decode_batch",
    "decode_call",
    "decode_dispositions",
    "decode_error",
    "decode_page",
    "decode_property_names",
    "decode_search",
    "decode_token_info",
    "history",
    "sorted_ids",
]


class RecordError(AnswerError):
    """HubSpot's answer is JSON, and the one record that it is cannot be read."""


class CallPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the calls listing; HubSpot's `CallCollectionResponse`."""

    calls: tuple[Call, ...]
    after: str | None
    """The cursor of the next page, exactly as received; None on the last."""
    undecodable: tuple[Undecodable, ...] = ()


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of search results."""

    total: int
    """How many calls match, over all pages."""
    calls: tuple[Call, ...]
    after: str | None
    undecodable: tuple[Undecodable, ...] = ()


class CallBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a batch read, 200 or 207."""

    calls: tuple[Call, ...]
    """In no particular order; a merged call may answer under the id that it was merged into."""
    status: str | None = None
    """`COMPLETE`; `PENDING`, `PROCESSING` and `CANCELED` are declared as well."""
    num_errors: int | None = None
    errors: tuple[ErrorBody, ...] = ()
    undecodable: tuple[Undecodable, ...] = ()

    @property
    def missing(self) -> frozenset[str]:
        """The ids that HubSpot's own errors name as not found."""
        named = (e.context.get("ids", ()) for e in self.errors if e.category == OBJECT_NOT_FOUND)
        return frozenset(found for ids in named for text in ids if (found := as_id(text)))


_calls: Final = msgspec.json.Decoder(Results[Call])


def decode_call(raw: bytes) -> Call:
    """Return the call of a single read; raises `RecordError` if it is an object but no call."""
    try:
        return read_call(raw)
    except DECODING as error:
        failure = AnswerError.of(error)
    if isinstance(loads(raw), dict):
        raise RecordError(str(failure))
    raise failure


def decode_page(raw: bytes) -> CallPage:
    """Return a page of the listing."""
    parts = _decode_calls(raw)
    return CallPage(
        calls=tuple(parts.answer.results),
        after=parts.answer.after,
        undecodable=parts.undecodable,
    )


def decode_search(raw: bytes) -> SearchPage:
    """Return a page of search results; one that does not say how many match is no answer."""
    parts = _decode_calls(raw)
    if parts.answer.total is None:
        msg = "the search result has no total"
        raise AnswerError(msg)
    return SearchPage(
        total=parts.answer.total,
        calls=tuple(parts.answer.results),
        after=parts.answer.after,
        undecodable=parts.undecodable,
    )


def decode_batch(raw: bytes) -> CallBatch:
    """Return the answer to a batch read."""
    parts = _decode_calls(raw)
    return CallBatch(
        calls=tuple(parts.answer.results),
        status=parts.answer.status,
        num_errors=parts.answer.num_errors,
        errors=decode_errors(parts.answer.errors),
        undecodable=parts.undecodable,
    )


def _decode_calls(raw: bytes) -> Parts[Call]:
    return decode_records(raw, _calls, read_call, call_id_of)
