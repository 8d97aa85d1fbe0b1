"""Tells once that a server went away, and once that it is back."""

import time
from collections.abc import Callable

import structlog

_log = structlog.get_logger(__name__)

_ERROR_CHARS = 200


class Presence:
    """Whether a server answered last time; a change is worth one line in the log."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Tell of the server called `name`; `clock` gives seconds."""
        self._name = name
        self._clock = clock
        self._away_since: float | None = None
        self.failures = 0
        """How often in a row it has not answered."""

    def away(self, error: BaseException) -> None:
        """Take note that it did not answer."""
        self.failures += 1
        if self._away_since is None:
            self._away_since = self._clock()
            said = f"{type(error).__name__}: {error}"[:_ERROR_CHARS]
            _log.warning("Redis does not answer", server=self._name, error=said)

    def back(self) -> None:
        """Take note that it answered."""
        self.failures = 0
        if self._away_since is not None:
            away_s = round(self._clock() - self._away_since, 3)
            self._away_since = None
            _log.warning("Redis answers again", server=self._name, away_s=away_s)
