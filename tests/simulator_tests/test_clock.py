"""The simulator's clock."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulator.clock import Clock, iso, parse_time, wall_ms


@given(st.integers(0, 4_102_444_800_000))
def test_times_survive_writing_and_reading(at_ms: int) -> None:
    """What `iso` writes, `parse_time` reads as the same ms; epoch ms are read as well."""
    assert parse_time(iso(at_ms)) == at_ms == parse_time(str(at_ms))


@pytest.mark.parametrize("text", ["", "soon", "-1", "99999999999999999", "²", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Anything but a date, a time or epoch ms up to the year 9999 is a ValueError."""
    with pytest.raises(ValueError, match=r".*"):
        parse_time(text)


def test_a_frozen_clock_runs_timers_at_their_own_moments() -> None:
    """Timers on the way of a move run in the order of their times, each at its own."""
    clock = Clock(1_000, frozen=True)
    seen: list[tuple[str, int]] = []
    clock.call_at(1_300, lambda: seen.append(("late", clock.now_ms())))

    def first() -> None:
        seen.append(("first", clock.now_ms()))
        clock.call_at(1_200, lambda: seen.append(("made on the way", clock.now_ms())))

    clock.call_at(1_100, first)
    clock.call_at(1_150, lambda: seen.append(("cancelled", 0))).cancel()
    clock.call_at(9_000, lambda: seen.append(("too far", 0)))
    assert clock.move(1_000) == 2_000
    assert seen == [("first", 1_100), ("made on the way", 1_200), ("late", 1_300)]


async def test_a_running_clock_runs_timers_in_time() -> None:
    """On a running clock a timer rings by itself, and at once when time jumps over it."""
    clock, rang = Clock(), asyncio.Event()
    clock.call_at(clock.now_ms() + 5, rang.set)
    await asyncio.wait_for(rang.wait(), 5)
    rang.clear()
    clock.call_at(clock.now_ms() + 3_600_000, rang.set)
    clock.move(3_600_000)
    await asyncio.wait_for(rang.wait(), 5)


async def test_sleepers_wake_when_time_is_moved() -> None:
    """Somebody who sleeps until a time wakes once a frozen clock is moved there."""
    clock = Clock(1_000, frozen=True)
    sleeping = asyncio.create_task(clock.sleep_until(5_000))
    await asyncio.sleep(0)
    clock.move(2_000)
    await asyncio.sleep(0)
    assert not sleeping.done()
    clock.move(2_000)
    await asyncio.wait_for(sleeping, 5)


async def test_a_clock_can_be_set_frozen_and_resumed() -> None:
    """A clock goes on from where it was set, stands while frozen, and is wall time untouched."""
    clock = Clock()
    assert abs(clock.now_ms() - wall_ms()) < 1_000
    clock.set(10_000_000)
    assert 10_000_000 <= clock.now_ms() < 10_001_000
    stood = clock.freeze()
    assert clock.now_ms() == stood == clock.now_ms()
    clock.move(-1_000)
    assert clock.now_ms() == stood - 1_000
    assert stood - 1_000 <= clock.resume() < stood
