"""Times as operators write them: RFC 3339, or how long ago."""

import time
from collections.abc import Callable

from jobs import instants
from jobs.config.values import DURATION


class TimeError(ValueError):
    """A text that is neither a time nor a length of time."""


def moment_ms(text: str, clock: Callable[[], float] = time.time) -> int:
    """Return the epoch ms of an RFC 3339 time, or of so long ago (`30m`, `24h`, `7d`).

    Raises:
        TimeError: it is neither.
    """
    instant = None if text.isdigit() else instants.parse(text)
    if instant is not None:
        return max(0, instants.to_ms(instant))
    try:
        ago_s = DURATION.parse(text)
    except ValueError:
        ago_s = None
    if not isinstance(ago_s, int):
        msg = "must be an RFC 3339 time such as 2026-01-15T11:00:00Z, or how long ago: 30m, 24h, 7d"
        raise TimeError(msg)
    return max(0, round(clock() * 1000) - ago_s * 1000)
