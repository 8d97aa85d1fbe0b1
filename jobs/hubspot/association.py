"""Associations as HubSpot lists them, for one call or for many at once.

The far side is `toObjectId`: a number in v4, text since 2026-03; v3's batch read calls it `id`. The
same far side repeats under each label. Labels are passed over: no event carries them.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

import msgspec

from jobs.hubspot.answer import AnswerError, Results, decode_records
from jobs.hubspot.loose import DECODING, loads, members
from jobs.hubspot.record import ObjectId, Paging, Undecodable, as_id
from jobs.hubspot.refusal import ErrorBody, decode_errors


class Associations(msgspec.Struct, frozen=True, gc=False):
    """Records of one type that are associated with one call: one page of them."""

    ids: tuple[str, ...] = ()
    """As answered, repetitions included."""
    after: str | None = None
    """The cursor of this call's next page, exactly as received; None if there is none."""


class AssociationBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an associations batch read, 200 or 207."""

    found: Mapping[str, Associations]
    """By call; one without associations is absent, and may be named in `errors`."""
    errors: tuple[ErrorBody, ...] = ()
    undecodable: tuple[Undecodable, ...] = ()
    """Rows by their call; such a call's associations are not known."""


_Id = ObjectId | Annotated[int, msgspec.Meta(ge=0)]


class _Near(msgspec.Struct, gc=False):
    id: _Id


class _Far(msgspec.Struct, gc=False):
    to_object_id: _Id | None = msgspec.field(default=None, name="toObjectId")
    id: _Id | None = None

    def __post_init__(self) -> None:
        if self.to_object_id is None and self.id is None:
            msg = "no toObjectId"
            raise ValueError(msg)

    @property
    def target(self) -> str:
        """The far side's id as text."""
        return str(self.id if self.to_object_id is None else self.to_object_id)


class _Row(msgspec.Struct, kw_only=True, gc=False):
    near: _Near = msgspec.field(name="from")
    to: list[_Far]
    paging: Paging | None = None


_rows: Final = msgspec.json.Decoder(Results[_Row])
_row: Final = msgspec.json.Decoder(_Row)
_fars: Final = msgspec.json.Decoder(Results[_Far])


def decode_associations(raw: bytes) -> Associations:
    """Return a page of the associations of one call.

    Raises:
        AnswerError: it cannot be read, down to a single far side: leaving one out would look like
            its removal.
    """
    try:
        answer = _fars.decode(raw)
    except DECODING as error:
        raise AnswerError.of(error) from None
    return Associations(tuple(far.target for far in answer.results), answer.after)


def decode_association_batch(raw: bytes) -> AssociationBatch:
    """Return the associations of many calls; raises AnswerError if it is no such answer."""
    parts = decode_records(raw, _rows, _row.decode, _call_of)
    found: dict[str, Associations] = {}
    for row in parts.answer.results:
        call_id, after = str(row.near.id), None if row.paging is None else row.paging.after
        before = found.get(call_id, Associations())
        ids = before.ids + tuple(far.target for far in row.to)
        found[call_id] = Associations(ids, after or before.after)
    return AssociationBatch(
        found=found,
        errors=decode_errors(parts.answer.errors),
        undecodable=parts.undecodable,
    )


def sorted_ids(ids: Iterable[str]) -> tuple[str, ...]:
    """Return each id once, in the order of their numbers."""
    unique = set(ids)
    return tuple(sorted(unique, key=_number) if len(unique) > 1 else unique)


def _number(text: str) -> tuple[int, str]:
    return len(text), text


def _call_of(row: bytes) -> str | None:
    return as_id(members(members(loads(row)).get("from")).get("id"))
