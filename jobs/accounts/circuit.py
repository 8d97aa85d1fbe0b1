"""Keeps a process from waiting for token endpoints that do not answer.

The breaker (`jobs.hubspot.breaker`) notices when HubSpot's API is out as a whole. The token
endpoints may be out alone, while tokens that are still good bring answers all the time: then every
account whose token has expired would hold a job for as long as a request may take, again and again,
and the jobs of the other accounts would wait for a slot.
"""

import time
from collections.abc import Callable

import structlog

from jobs.hubspot.breaker import TRIPS_AT
from jobs.timing import Timing

_log = structlog.get_logger(__name__)


class Circuit:
    """One process' view of the token endpoints: open after some failures in a row."""

    def __init__(self, timing: Timing, clock: Callable[[], float] = time.monotonic) -> None:
        """Probe as seldom as the breaker does; `clock` tells seconds."""
        self._timing = timing
        self._clock = clock
        self._failures = 0
        self._probe_at = 0.0
        self._wait_s = 0.0

    def wait_ms(self) -> int:
        """Return for how long nobody is to ask; 0 = the caller may, and tells what came of it.

        While the endpoints are out one caller may ask now and then, ever more rarely.
        """
        if self._failures < TRIPS_AT:
            return 0
        now = self._clock()
        if now < self._probe_at:
            return max(1, round((self._probe_at - now) * 1000))
        self._wait_s = min(2 * self._wait_s, self._timing.probe_last_ms / 1000)
        self._probe_at = now + self._wait_s
        return 0

    def failed(self) -> None:
        """Take note of a request that was not answered, or whose answer says that they fail."""
        self._failures += 1
        if self._failures == TRIPS_AT:
            self._wait_s = self._timing.probe_first_ms / 1000
            self._probe_at = self._clock() + self._wait_s
            _log.warning("HubSpot's token endpoint is out: it is probed until it answers")

    def answered(self) -> None:
        """Take note of an answer, whatever it says of the account."""
        if self._failures >= TRIPS_AT:
            _log.warning("HubSpot's token endpoint answers again")
        self._failures = 0
