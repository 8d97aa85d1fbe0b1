"""Answers with many records: decoded whole where possible, record by record where not."""

from collections.abc import Callable
from typing import Annotated, Final, Generic, TypeVar

import msgspec

from jobs.hubspot.loose import DECODING, mend
from jobs.hubspot.record import Paging, Undecodable

Record = TypeVar("Record")


class AnswerError(ValueError):
    """HubSpot's answer as a whole cannot be read; the message names no value of it."""

    @classmethod
    def of(cls, error: Exception) -> "AnswerError":
        """Return the error that says what `error`, raised while decoding, said."""
        if isinstance(error, RecursionError):
            return cls("nested too deeply")
        if isinstance(error, UnicodeDecodeError):
            return cls("not UTF-8")
        return cls(str(error) if isinstance(error, msgspec.MsgspecError) else "not JSON")


class Results(msgspec.Struct, Generic[Record], rename="camel"):
    """What all answers with results have in common."""

    results: list[Record]
    paging: Paging | None = None
    total: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """Of a search: how many records match, over all pages."""
    status: str | None = None
    """Of a batch."""
    num_errors: int | None = None
    errors: msgspec.Raw = msgspec.Raw()
    """Of a batch, undecoded: HubSpot fills it in several forms."""

    @property
    def after(self) -> str | None:
        """The cursor of the next page, None on the last one."""
        return None if self.paging is None else self.paging.after


class Parts(msgspec.Struct, Generic[Record]):
    """An answer whose records were decoded as far as they decode."""

    answer: Results[Record]
    undecodable: tuple[Undecodable, ...] = ()


_undecoded: Final = msgspec.json.Decoder(Results[msgspec.Raw])


def decode_records(
    raw: bytes,
    whole: "msgspec.json.Decoder[Results[Record]]",
    one: Callable[[bytes], Record],
    id_of: Callable[[bytes], str | None],
) -> Parts[Record]:
    """Return the records of an answer, the undecodable ones set aside.

    Args:
        raw: the body.
        whole: decodes the answer at once, which is the fast way and mostly the only one.
        one: decodes one record; raises ValueError or RecursionError.
        id_of: tells the call that an undecodable record is about.

    Raises:
        AnswerError: it is not JSON, has no results, or its paging cannot be read.
    """
    try:
        return Parts(whole.decode(raw))
    except DECODING:
        return _one_by_one(_split(raw), one, id_of)


def _split(raw: bytes) -> Results[msgspec.Raw]:
    try:
        return _undecoded.decode(raw)
    except DECODING as error:
        try:
            return _undecoded.decode(mend(raw))
        except DECODING:
            raise AnswerError.of(error) from None


def _one_by_one(
    split: Results[msgspec.Raw],
    one: Callable[[bytes], Record],
    id_of: Callable[[bytes], str | None],
) -> Parts[Record]:
    good: list[Record] = []
    aside: list[Undecodable] = []
    for record in map(bytes, split.results):
        try:
            good.append(one(record))
        except DECODING as error:
            aside.append(Undecodable(id_of(record), record, str(AnswerError.of(error))))
    answer = Results(
        results=good,
        paging=split.paging,
        total=split.total,
        status=split.status,
        num_errors=split.num_errors,
        errors=split.errors,
    )
    return Parts(answer, tuple(aside))
