"""What a taker is told of its account's window, and what follows from that for the next one."""

import msgspec


class Spending(msgspec.Struct, frozen=True, array_like=True):
    """An account's window of requests at the moment when somebody asked for some."""

    wait_ms: int
    """After which to ask again; 0 = they were granted."""
    cap: int
    """Requests that the window takes."""
    window_ms: int
    used: int = 0
    """Requests that it holds."""
    frees_ms: int = 0
    """After which the first of them leaves it."""

    @property
    def rate(self) -> float:
        """The requests per second that the window allows."""
        return self.cap * 1000 / self.window_ms

    def pace_ms(self, cost: int) -> int:
        """Return how far apart takers of `cost` lie if the window is to last; 0 = close.

        Up to half of the window may go in one burst. The other half is spread over the time until
        the burst leaves the window: who goes on in a burst waits for most of a window afterwards.
        """
        if 2 * self.used <= self.cap:
            return 0
        left = max(cost, self.cap - self.used)
        return max(cost * self.window_ms // self.cap, cost * self.frees_ms // left)
