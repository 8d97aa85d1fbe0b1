"""HubSpot's rate limits: a rolling burst window, a daily quota, a second of searches."""

from collections import deque
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tests.simulator.knobs import Knobs

DAY_MS = 86_400_000
Family = Literal["public", "search", "oauth", "journal", "subscriptions", "snapshots", "free"]
"""Which limit a route falls under; `free` has none."""

_PER_SECOND: dict[str, int] = {"journal": 100, "subscriptions": 50, "snapshots": 10}


class Window:
    """Counts what happened in the last so many ms, exactly."""

    def __init__(self) -> None:
        self._times: deque[int] = deque()
        self.peak = 0
        """The most that any window ever held."""

    def count(self, now_ms: int, length_ms: int) -> int:
        """Return how many are in the window that ends now."""
        while self._times and self._times[0] <= now_ms - length_ms:
            self._times.popleft()
        return len(self._times)

    def add(self, now_ms: int, length_ms: int) -> None:
        """Count one more."""
        self._times.append(now_ms)
        self.peak = max(self.peak, self.count(now_ms, length_ms))


class Verdict(msgspec.Struct, frozen=True):
    """Whether a request may pass, what the headers say, and under which policy it failed."""

    headers: dict[str, str]
    refused_by: str = ""
    """`TEN_SECONDLY_ROLLING`, `DAILY` or `SECONDLY`; empty if it may pass."""


def zone(name: str) -> tzinfo:
    """Return a time zone; UTC where the machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


class Limits:
    """The windows of one account."""

    def __init__(self, time_zone: str = "UTC") -> None:
        self._zone = zone(time_zone)
        self._windows: dict[tuple[int, str], Window] = {}
        self._day = ""
        self._today = 0

    @property
    def used_today(self) -> int:
        """Requests of private apps counted against today's quota."""
        return self._today

    def resets_at(self, now_ms: int) -> int:
        """Return when the daily quota is renewed: midnight in the account's time zone."""
        local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(self._zone)
        midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time())
        return round(midnight.replace(tzinfo=self._zone).timestamp() * 1000)

    def take(
        self, app_id: int, family: Family, now_ms: int, knobs: Knobs, *, oauth: bool
    ) -> Verdict:
        """Let one request pass, or say which policy refuses it; refused ones do not count."""
        if family == "free":
            return Verdict({})
        if family != "public":
            limit = knobs.search_limit if family == "search" else _PER_SECOND.get(family, 100)
            window = self._window(0 if family == "search" else app_id, family)
            if window.count(now_ms, 1_000) >= limit:
                return Verdict({}, "SECONDLY")
            window.add(now_ms, 1_000)
            return Verdict({})
        return self._take_public(app_id, now_ms, knobs, oauth=oauth)

    def _take_public(self, app_id: int, now_ms: int, knobs: Knobs, *, oauth: bool) -> Verdict:
        limit = knobs.oauth_rate_limit if oauth else knobs.rate_limit
        window = self._window(app_id, "public")
        used = window.count(now_ms, knobs.rate_window_ms)
        refused = "TEN_SECONDLY_ROLLING" if used >= limit else ""
        day = f"{datetime.fromtimestamp(now_ms / 1000, self._zone):%Y-%m-%d}"
        if day != self._day:
            self._day, self._today = day, 0
        if not oauth and self._today >= knobs.daily_limit:
            refused = "DAILY"
        if not refused or knobs.refused_count:
            used = min(limit, used + 1)
            window.add(now_ms, knobs.rate_window_ms)
            self._today += not oauth
        headers = {
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(knobs.rate_window_ms),
            "X-HubSpot-RateLimit-Max": str(limit),
            "X-HubSpot-RateLimit-Remaining": str(max(0, limit - used)),
            "X-HubSpot-RateLimit-Secondly": str(max(1, limit // 10)),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(max(0, min(limit // 10, limit - used))),
        }
        if not oauth:
            headers["X-HubSpot-RateLimit-Daily"] = str(knobs.daily_limit)
            left = max(0, knobs.daily_limit - self._today)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(left)
        return Verdict(headers, refused)

    def _window(self, app_id: int, family: str) -> Window:
        return self._windows.setdefault((app_id, family), Window())
