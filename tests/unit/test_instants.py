"""Times keep their millisecond through every form."""

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from jobs import instants

LAST_MS = 253_402_300_799_999
"""The last ms of the year 9999."""


@given(st.integers(-62_135_596_800_000, LAST_MS))
def test_round_trip(ms: int) -> None:
    """Every epoch ms that has a date comes back from its text, and from its digits."""
    text = instants.ms_to_text(ms)
    assert text is not None
    moment = instants.parse(text)
    assert moment is not None
    assert (instants.to_ms(moment), len(text)) == (ms, len("2024-01-15T11:00:00.000Z"))
    assert instants.parse(str(ms)) == moment


@given(st.integers())
def test_any_number(ms: int) -> None:
    """A number without a date has no text, and raises nothing."""
    assert (instants.ms_to_text(ms) is None) == (not -62_135_596_800_000 <= ms <= LAST_MS)
    instants.parse(str(ms))


@given(st.integers(-(10**15), 10**17), st.integers(-1_439, 1_439))
def test_offset(us: int, minutes: int) -> None:
    """A time has one text, rounded down to the ms, whatever its offset."""
    moment = instants.EPOCH + timedelta(microseconds=us)
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    assert instants.to_text(elsewhere) == instants.ms_to_text(us // 1_000)
    assert instants.to_ms(elsewhere) == us // 1_000


def test_edge_of_the_calendar() -> None:
    """A time whose UTC form has no date keeps its own offset."""
    edge = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert instants.to_text(edge) == "0001-01-01T00:00:00.000+02:00"


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is a time or None."""
    moment = instants.parse(text)
    assert moment is None or moment.tzinfo is not None
