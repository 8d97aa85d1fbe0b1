"""Keeps a log readable when the same thing happens a thousand times a second."""

import time
from collections.abc import Callable


class Quiet:
    """Lets one occurrence of each kind through per interval, and counts the others.

    Kinds must be few: each is remembered.
    """

    def __init__(
        self, every_s: float = 10.0, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_s = every_s
        self._clock = clock
        self._spoke_at: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def speak(self, kind: str) -> int | None:
        """Return how many of this kind were held back since the last word, or None to be quiet."""
        now = self._clock()
        spoke_at = self._spoke_at.get(kind)
        if spoke_at is not None and now - spoke_at < self._every_s:
            self._held_back[kind] = self._held_back.get(kind, 0) + 1
            return None
        self._spoke_at[kind] = now
        return self._held_back.pop(kind, 0)
