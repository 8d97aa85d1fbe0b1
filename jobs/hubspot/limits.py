"""What HubSpot's answers say about its rate limits: headers of every answer, the body of a 429."""

from collections.abc import Mapping
from typing import Literal

import msgspec

Limit = Literal["ten_secondly", "secondly", "daily", "unknown"]
"""Which limit a 429 names."""

_MOST_REQUESTS = 10_000_000
_SHORTEST_MS, _LONGEST_MS = 100, 600_000


class RateHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """The rate-limit headers of one answer; None where HubSpot did not send a usable one.

    Search answers carry none, and the daily pair is absent for OAuth apps (HubSpot's usage
    guidelines).
    """

    max: int | None = None
    """Requests per interval (`X-HubSpot-RateLimit-Max`)."""
    remaining: int | None = None
    """What is left of them (`X-HubSpot-RateLimit-Remaining`)."""
    interval_ms: int | None = None
    """Length of the interval (`X-HubSpot-RateLimit-Interval-Milliseconds`)."""
    daily: int | None = None
    """Requests per day (`X-HubSpot-RateLimit-Daily`)."""
    daily_remaining: int | None = None
    """What is left of them (`X-HubSpot-RateLimit-Daily-Remaining`)."""


def read_rate_headers(headers: Mapping[str, str]) -> RateHeaders:
    """Return what `headers`, whose names are looked up without regard to case, say of the limits.

    A value that is not a number, or out of all proportion, counts as not sent.
    """
    return RateHeaders(
        max=_number(headers, "Max", 1, _MOST_REQUESTS),
        remaining=_number(headers, "Remaining", 0, _MOST_REQUESTS),
        interval_ms=_number(headers, "Interval-Milliseconds", _SHORTEST_MS, _LONGEST_MS),
        daily=_number(headers, "Daily", 1, _MOST_REQUESTS),
        daily_remaining=_number(headers, "Daily-Remaining", 0, _MOST_REQUESTS),
    )


def named_limit(policy_name: str | None, message: str | None) -> Limit:
    """Return which limit a 429's `policyName` names, or else its message.

    Answers of the search API have no policy name: "You have reached your secondly limit.".
    """
    for text in (policy_name, message):
        words = (text or "").upper().replace(" ", "_").replace("-", "_")
        if "TEN_SECONDLY" in words:
            return "ten_secondly"
        if "SECONDLY" in words:
            return "secondly"
        if "DAILY" in words:
            return "daily"
    return "unknown"


def _number(headers: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = headers.get(f"X-HubSpot-RateLimit-{name}", "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))):
        return None
    number = int(text)
    return number if least <= number <= most else None
