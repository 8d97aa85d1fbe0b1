"""The budget: how many requests HubSpot may be asked for an account, shared by all processes.

A window is exact: in any `Timing.budget_window_ms` (HubSpot's ten seconds and a margin for the way
there) no more is granted than the account's limit, and of that only our share: the limit less the
reserve per ten seconds. Time is Redis' own. What was granted counts, whether or not an answer came.
Work that must wait goes back with a time; nothing here sleeps.

Every answer teaches: the limit, the day's count, and how much others use the same token, which is
what HubSpot had counted above what the log held when the request was sent. The most that was seen
of it in the last three to six windows comes off our share, but for half of the reserve, which is
theirs anyway. Our last tenth of the limit is not given up: that much is asked even if it earns a
429.

**A lost window.** Redis' memory is whole since the time in `budget:epoch`, which begins anew with
an empty data set, a restarted server and a replica that took over. Until one window has passed
since then, grants may be missing from a log: an account is asked by one taker at a time, whose
cost the reserve has room for, until an answer's `Remaining` has filled its log, and at a tenth of
its limit where answers carry no such header. An account that is new, or has been idle, is not
touched by that: once Redis is a window old, an absent log means that nothing was asked.

**Live work first.** Work that can wait says how much it leaves to what cannot: see `take`.

Keys, after the namespace:

- `budget:epoch`: string `<server's run id>@<since when, in ms>`
- `budget:<portal>`: hash; `max`, `interval`: the learned limit and its window in ms; `daily`,
  `left`, `seen`: the daily limit, what is left of it, and when HubSpot last said so; `cool:burst`,
  `cool:search`, `cool:daily`: asleep until; `look:daily`: until when nobody else looks whether a
  spent day is over; `sure`, `blind`, `probe`: the epoch in which the log
  was filled, was found to have no header to fill it, was first asked; `period`, `others`,
  `others:before`: the most that was seen of others; `first:burst`, `first:search`: until when a
  taker that leaves nothing is expected back; `serial`: counter of log entries
- `budget:<portal>:burst`, `budget:<portal>:search`: the logs, sorted sets, request -> when granted
"""

import math
from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import structlog
from redis.asyncio import Redis

from jobs.hubspot.breaker import TRIPS_AT, breaker_keys
from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.limits import read_rate_headers
from jobs.hubspot.spending import Spending
from jobs.scripts import Script, source
from jobs.timing import Timing

Kind = Literal["burst", "search"]
"""The window that a request falls into: HubSpot counts searches apart from all others."""

_OK: Final = 200
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500

SEARCHES: Final = 5
"""Searches that HubSpot allows an account per second, over all apps; it sends no header."""
_REMEMBERED_MS: Final = 24 * 60 * 60 * 1000
_MARGIN: Final = 1.025
"""The window's length in intervals of HubSpot's: 10.25 s for its 10."""
_BESIDE: Final = 0.5
"""The part of the reserve that stays free beside the most that was seen of others: for those of
their requests that cannot be seen yet."""


_log = structlog.get_logger(__name__)


class Budget:
    """The budgets of all accounts on one Redis."""

    def __init__(  # noqa: PLR0913 - what is not a dependency has a default and goes by name
        self,
        redis: Redis,
        namespace: str,
        timing: Timing,
        *,
        rate_limit: int = 100,
        reserve: float = 0.1,
        clock: str | None = None,
    ) -> None:
        """Use `redis`, whose keys all start with `namespace` and a colon (none if it is empty).

        Args:
            redis: where the windows are kept.
            namespace: the deployment's prefix.
            timing: the length of a window, and of waits without a better word.
            rate_limit: requests per window until HubSpot has told the account's own limit.
            reserve: the share of every limit that is left to others.
            clock: Lua source of `now_ms()`, for tests; by default it tells the server's time.
        """
        self._prefix = f"{namespace}:budget:" if namespace else "budget:"
        self._breaker = breaker_keys(namespace)
        self._timing = timing
        self._rate_limit = rate_limit
        self._reserve = reserve
        self._share = (1 - reserve) * _MARGIN
        self._told: dict[int, Spending] = {}
        """What this process was told last, by portal."""
        shared = (
            clock or source("budget/clock"),
            source("budget/windows"),
            source("budget/breaker"),
        )
        self._take, self._learn, self._cool, self._fail = (
            Script(redis, text="\n".join((*shared, source(f"budget/{name}"))))
            for name in ("take", "learn", "cool", "fail")
        )

    async def take(
        self, portal_id: int, cost: int = 1, kind: Kind = "burst", *, leaving: int = 0
    ) -> int:
        """Grant `cost` requests at once and return 0, or grant none and return the ms to wait.

        A taker that waits that long is granted unless another came first. While HubSpot's count
        must be found out, while a daily limit is spent, and while HubSpot's API is out, it is the
        time to look again. A cost above the whole window is granted once the window is empty.

        Args:
            portal_id: the account.
            cost: requests.
            kind: the window that they fall into.
            leaving: for work that can wait: so many requests must stay free beside it, nothing is
                granted while a taker that leaves none waits, and what is granted is spread over
                the window.

        Raises:
            redis.RedisError: it may have been granted; the requests count in that case.
        """
        rate_limit, window_ms = self._defaults(kind)
        answer = await self._take(
            [
                f"{self._prefix}epoch",
                self._key(portal_id),
                f"{self._key(portal_id)}:{kind}",
                self._breaker.breaker,
            ],
            [
                kind,
                cost,
                rate_limit,
                repr(self._share),
                repr(self._reserve * _BESIDE),
                repr(self._reserve),
                window_ms,
                self._timing.request_timeout_ms,
                self._timing.pace_ms,
                self._timing.portal_backoff_last_ms,
                _REMEMBERED_MS,
                self._timing.probe_last_ms,
                leaving,
                self._timing.ring_horizon_ms,
            ],
        )
        told = msgspec.convert(answer, Spending)
        if kind == "burst":
            self._told[portal_id] = told
        return told.wait_ms

    async def learn(
        self,
        portal_id: int,
        headers: Mapping[str, str],
        *,
        elapsed_ms: int,
        kind: Kind = "burst",
        status: int = _OK,
    ) -> None:
        """Take over what an answer's rate-limit headers say.

        Args:
            portal_id: whose request was answered.
            headers: of the answer.
            elapsed_ms: how long it took.
            kind: which window the request fell into.
            status: of the answer. One below 500 shows that HubSpot's API works, which ends an
                outage; if it is no 429, a daily limit whose rest is over is renewed.

        Raises:
            redis.RedisError: it may not have been taken over.
        """
        said = read_rate_headers(headers)
        window_ms = self._timing.budget_window_ms
        if said.interval_ms is not None:
            window_ms = math.ceil(said.interval_ms * _MARGIN)
        was_out_ms = await self._learn(
            [
                f"{self._prefix}epoch",
                self._key(portal_id),
                f"{self._key(portal_id)}:burst",
                self._breaker.breaker,
                self._breaker.failing,
                self._breaker.waking,
            ],
            [
                kind,
                max(0, elapsed_ms),
                _REMEMBERED_MS,
                _word(said.max),
                window_ms,
                _word(said.remaining),
                _word(said.daily),
                _word(said.daily_remaining),
                int(status < _SERVER_ERROR),
                int(status != _TOO_MANY),
            ],
        )
        if was_out_ms:
            _log.warning("HubSpot's API answers again", was_out_ms=was_out_ms)

    async def fail(self, portal_id: int) -> None:
        """Count a request that was not answered, or whose answer says that HubSpot's API fails.

        Raises:
            redis.RedisError: it may not have been counted.
        """
        opened = await self._fail(
            [self._breaker.breaker, self._breaker.failing],
            [
                str(portal_id),
                TRIPS_AT,
                self._timing.probe_first_ms,
                2 * self._timing.portal_backoff_last_ms,
            ],
        )
        if opened:
            _log.warning("HubSpot's API is out: it is probed until it answers", accounts=TRIPS_AT)

    async def cool(self, portal_id: int, failure: PortalFailure, kind: Kind = "burst") -> int:
        """Let exactly what a 429 names rest until the told time, and return the ms until then.

        A daily limit rests everything, any other the kind of request that was refused. Without a
        `Retry-After`, which HubSpot does not document for its API, or with one of nothing, the
        limit's own length is waited for. When a day begins anew nobody tells: five minutes at a
        time, and then one taker finds out.

        Raises:
            redis.RedisError: it may not have been noted.
        """
        waits = {
            "secondly": self._defaults("search")[1],
            "daily": self._timing.portal_backoff_last_ms,
        }
        own_ms = waits.get(failure.limit or "unknown", self._timing.budget_window_ms)
        wait_ms = failure.retry_after_ms or own_ms
        rests = "daily" if failure.limit == "daily" else kind
        answer = await self._cool([self._key(portal_id)], [rests, wait_ms, _REMEMBERED_MS])
        return msgspec.convert(answer, int)

    def spending(self, portal_id: int) -> Spending:
        """Return what this process was told last of the account's window."""
        told = self._told.get(portal_id)
        if told is not None:
            return told
        return Spending(
            0, max(1, int(self._rate_limit * self._share)), self._timing.budget_window_ms
        )

    def _key(self, portal_id: int) -> str:
        return f"{self._prefix}{portal_id}"

    def _defaults(self, kind: Kind) -> tuple[int, int]:
        """Return limit and window in ms where HubSpot has told nothing."""
        if kind == "search":
            return SEARCHES, math.ceil(self._timing.budget_window_ms / 10)
        return self._rate_limit, self._timing.budget_window_ms


def _word(number: int | None) -> str:
    return "" if number is None else str(number)
