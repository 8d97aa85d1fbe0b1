"""Points in time between HubSpot's forms, epoch milliseconds and the text that events carry."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339 with an offset, as HubSpot's answers carry it."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_encode: Final = msgspec.json.Encoder().encode
_LONGEST_MS: Final = 16
"""Digits of the last epoch millisecond that has a date; more is no time."""


def to_ms(instant: datetime) -> int:
    """Return the epoch milliseconds of an aware datetime, rounded down."""
    return (instant - EPOCH) // _MS


def to_text(instant: datetime) -> str:
    """Return `2024-01-15T11:00:00.000Z`: UTC, milliseconds, rounded down."""
    if instant.tzinfo is not UTC:
        try:
            instant = instant.astimezone(UTC)
        except OverflowError:  # within a day of year 1 or 9999: it keeps its own offset
            return instant.isoformat(timespec="milliseconds")
    text = _encode(instant).decode()  # a seventh of the time of isoformat()
    return f"{text[1:24]}Z" if text[20] == "." else f"{text[1:20]}.000Z"


def ms_to_text(ms: int) -> str | None:
    """Return epoch milliseconds as text, None if no date is that far away."""
    try:
        return to_text(EPOCH + timedelta(milliseconds=ms))
    except OverflowError:
        return None


def parse(text: str) -> datetime | None:
    """Return the instant that a property's value names, None if it names none.

    HubSpot answers RFC 3339 for datetime properties also where milliseconds were written; both are
    read (calls guide, "hs_timestamp").
    """
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit():
        if len(digits) > _LONGEST_MS:
            return None
        try:
            return EPOCH + timedelta(milliseconds=int(text))
        except OverflowError:
            return None
    try:
        instant = msgspec.convert(text, datetime)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None
