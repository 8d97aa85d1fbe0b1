"""How many claims of one portal are worth running side by side."""

import math
from typing import Final

_WEIGHT: Final = 0.2
_FIRST_GUESS_MS: Final = 250.0


class Latency:
    """A running mean of how long HubSpot takes to answer, in ms, as this process sees it."""

    def __init__(self) -> None:
        """Start from a guess."""
        self.mean_ms = _FIRST_GUESS_MS

    def observe(self, elapsed_ms: float) -> None:
        """Take one answer's time into the mean."""
        self.mean_ms += _WEIGHT * (elapsed_ms - self.mean_ms)


def side_by_side(rate_per_s: float, latency_ms: float, slots: int) -> int:
    """Return how many claims use the allowed rate up, at most a quarter of a worker's slots.

    Args:
        rate_per_s: requests that the portal's budget allows.
        latency_ms: how long one takes.
        slots: jobs that a worker runs at once.
    """
    wanted = math.ceil(rate_per_s * latency_ms / 1000) + 1
    return max(1, min(wanted, slots // 4))
