"""What answers say about rate limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from jobs.hubspot.limits import Limit, RateHeaders, named_limit, read_rate_headers

PREFIX = "X-HubSpot-RateLimit-"


def test_headers_of_a_private_app() -> None:
    """The burst window, what is left of it, and the day's quota are read."""
    headers = {
        f"{PREFIX}Daily": "250000",
        f"{PREFIX}Daily-Remaining": "249999",
        f"{PREFIX}Interval-Milliseconds": "10000",
        f"{PREFIX}Max": "100",
        f"{PREFIX}Remaining": "0",
        f"{PREFIX}Secondly": "19",
        f"{PREFIX}Secondly-Remaining": "18",
    }

    assert read_rate_headers(headers) == RateHeaders(
        max=100, remaining=0, interval_ms=10_000, daily=250_000, daily_remaining=249_999
    )


def test_headers_of_a_search() -> None:
    """An answer without rate-limit headers says nothing."""
    assert read_rate_headers({"Date": "Mon, 23 Nov 2026 22:17:00 GMT"}) == RateHeaders()


def test_names_in_any_case() -> None:
    """Header names arrive in lower case over HTTP/2."""
    headers = CIMultiDict({f"{PREFIX}Max".lower(): " 190 "})

    assert read_rate_headers(headers) == RateHeaders(max=190)


@pytest.mark.parametrize("value", ["", "many", "-1", "1e3", "١٢", "0x10", "9" * 400, "0"])
def test_an_unusable_limit_counts_as_not_sent(value: str) -> None:
    """A limit of nothing, or none at all, would stop an account for ever."""
    assert read_rate_headers({f"{PREFIX}Max": value}).max is None


@pytest.mark.parametrize("value", ["0", "99", "600001"])
def test_an_interval_out_of_proportion_counts_as_not_sent(value: str) -> None:
    """A window of ms or of hours is not believed."""
    assert read_rate_headers({f"{PREFIX}Interval-Milliseconds": value}).interval_ms is None


@given(st.dictionaries(st.sampled_from(["Max", "Remaining", "Daily"]), st.text()))
def test_no_header_raises(values: dict[str, str]) -> None:
    """Whatever the values are, they are read or passed over."""
    read_rate_headers({f"{PREFIX}{name}": value for name, value in values.items()})


@pytest.mark.parametrize(
    ("policy", "message", "limit"),
    [
        ("TEN_SECONDLY_ROLLING", None, "ten_secondly"),
        (None, "You have reached your ten_secondly_rolling limit.", "ten_secondly"),
        ("SECONDLY", None, "secondly"),
        (None, "You have reached your secondly limit.", "secondly"),
        ("DAILY", None, "daily"),
        (None, "You have reached your daily limit.", "daily"),
        ("DAILY", "You have reached your secondly limit.", "daily"),
        ("MONTHLY", "You have reached your daily limit.", "daily"),
        (None, "Slow down", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_the_limit_of_a_429(policy: str | None, message: str | None, limit: Limit) -> None:
    """The policy's name counts first, then the message: searches have only the latter."""
    assert named_limit(policy, message) == limit
