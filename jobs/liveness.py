"""Whether what a process must do over and over is done: progress, not existence. Pure.

A loop says each time by when it will be back, a piece of work by when it will have ended. Who is
overdue is stuck, and only a restart helps. While a server is away nobody is: whoever notices that
asks for more time, for all loops.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count


class Liveness:
    """What one process has promised to do, and by when."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Tell the time by `clock`, in s."""
        self._clock = clock
        self._loops: dict[str, float] = {}
        self._works: dict[int, tuple[str, float]] = {}
        self._numbers = count()

    def beat(self, loop: str, within_s: float) -> None:
        """Take note that a loop makes progress, and will again within that time."""
        self._loops[loop] = self._clock() + within_s

    def wait(self, within_s: float) -> None:
        """Take note that a server is away: every loop has so much time from now on."""
        due = self._clock() + within_s
        self._loops = {loop: max(due, before) for loop, before in self._loops.items()}

    @contextmanager
    def working(self, work: str, within_s: float) -> Generator[None]:
        """Take note that something is worked on, which will have ended within that time."""
        number = next(self._numbers)
        self._works[number] = (work, self._clock() + within_s)
        try:
            yield
        finally:
            del self._works[number]

    def stuck(self) -> dict[str, float]:
        """Return what is overdue, and for how many s; of works with one name the oldest."""
        now = self._clock()
        overdue: dict[str, float] = {}
        for name, due in (*self._loops.items(), *self._works.values()):
            if now > due:
                overdue[name] = max(overdue.get(name, 0.0), now - due)
        return overdue
