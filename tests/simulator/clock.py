"""The simulator's clock: the wall clock until somebody moves or stops it."""

import asyncio
import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime


def wall_ms() -> int:
    """Return the machine's time in epoch ms."""
    return time.time_ns() // 1_000_000


def iso(at_ms: int) -> str:
    """Return epoch ms as HubSpot writes time: RFC 3339, UTC, ms, `Z`."""
    whole, ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def parse_time(text: str) -> int:
    """Return epoch ms of an RFC 3339 time, a date, or a number of ms.

    Raises:
        ValueError: it is none of these.
    """
    digits = text.removeprefix("-")
    if digits.isdecimal() and digits.isascii():
        at_ms = int(text)
    else:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        at_ms = round(moment.timestamp() * 1000)
    if not 0 <= at_ms < 253_402_300_800_000:
        msg = f"time out of range: {text[:40]}"
        raise ValueError(msg)
    return at_ms


class Timer:
    """Something to be done at a time, unless it is cancelled before."""

    __slots__ = ("action", "at_ms", "order")

    def __init__(self, at_ms: int, order: int, action: Callable[[], None]) -> None:
        self.at_ms = at_ms
        self.order = order
        self.action: Callable[[], None] | None = action

    def __lt__(self, other: "Timer") -> bool:
        return (self.at_ms, self.order) < (other.at_ms, other.order)

    def cancel(self) -> None:
        """Do not do it."""
        self.action = None


class Clock:
    """Time in epoch ms: `start_ms` moves its zero, a frozen one goes on only when it is moved.

    When a frozen clock is moved, every timer on the way is run at its own moment and in order, so
    that a run with a seed is the same run in every process.
    """

    def __init__(self, start_ms: int | None = None, *, frozen: bool = False) -> None:
        self._offset = 0 if start_ms is None else start_ms - wall_ms()
        self._stopped_at: int | None = start_ms if frozen else None
        self._sleepers: set[asyncio.Event] = set()
        self._timers: list[Timer] = []
        self._timer_count = 0
        self._alarm: asyncio.TimerHandle | None = None
        if frozen:
            self.freeze()

    @property
    def frozen(self) -> bool:
        """True while time goes on only when it is moved."""
        return self._stopped_at is not None

    def now_ms(self) -> int:
        """Return the simulator's time in epoch ms."""
        return wall_ms() + self._offset if self._stopped_at is None else self._stopped_at

    def move(self, by_ms: int) -> int:
        """Move time by so many ms, also back, and return the new time."""
        if self._stopped_at is not None:
            goal = self._stopped_at + by_ms
            while self._timers and self._timers[0].at_ms <= goal:
                self._stopped_at = max(self._stopped_at, self._timers[0].at_ms)
                self._run_first()
            self._stopped_at = goal
        else:
            self._offset += by_ms
        return self._tell()

    def set(self, at_ms: int) -> int:
        """Set the time to `at_ms` and return it."""
        return self.move(at_ms - self.now_ms())

    def freeze(self) -> int:
        """Stop the time, and return when that was."""
        if self._stopped_at is None:
            self._stopped_at = self.now_ms()
        return self._tell()

    def resume(self) -> int:
        """Let a stopped clock run on from where it stands."""
        if self._stopped_at is not None:
            self._offset = self._stopped_at - wall_ms()
            self._stopped_at = None
        return self._tell()

    def call_at(self, at_ms: int, action: Callable[[], None]) -> Timer:
        """Do something at a time; on a running clock a little later. Needs an event loop then."""
        self._timer_count += 1
        timer = Timer(at_ms, self._timer_count, action)
        heapq.heappush(self._timers, timer)
        if self._timers[0] is timer:
            self._arm()
        return timer

    def _tell(self) -> int:
        for wake in self._sleepers:
            wake.set()
        self._arm()
        return self.now_ms()

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._timers and not self.frozen:
            left = max(0, self._timers[0].at_ms - self.now_ms()) / 1000
            self._alarm = asyncio.get_running_loop().call_later(left, self._ring)

    def _ring(self) -> None:
        while self._timers and not self.frozen and self._timers[0].at_ms <= self.now_ms():
            self._run_first()
        self._arm()

    def _run_first(self) -> None:
        action = heapq.heappop(self._timers).action
        if action is not None:
            action()

    async def wait(self, until_ms: int | None, wake: asyncio.Event) -> None:
        """Return at `until_ms`, or earlier when `wake` is set or the clock is moved; clears it.

        With None only the event counts.
        """
        timer = None
        if until_ms is not None and not self.frozen:
            left = max(0, until_ms - self.now_ms()) / 1000
            timer = asyncio.get_running_loop().call_later(left, wake.set)
        self._sleepers.add(wake)
        try:
            await wake.wait()
        finally:
            wake.clear()
            self._sleepers.discard(wake)
            if timer is not None:
                timer.cancel()

    async def sleep_until(self, at_ms: int) -> None:
        """Return once the simulator's time is `at_ms`."""
        wake = asyncio.Event()
        while self.now_ms() < at_ms:
            await self.wait(at_ms, wake)
