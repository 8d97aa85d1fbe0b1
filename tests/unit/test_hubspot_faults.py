"""Refusing answers, sorted into the two kinds of failure."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.hubspot.errors import FailureKind, HubSpotError, PortalFailure, RecordRefused
from jobs.hubspot.faults import LONGEST_WAIT_MS, date_ms, fault_of, is_missing, retry_after_ms

CORRELATION = "aeb5f871-7f07-4993-9211-075dc63e7cbf"
NOON = "Mon, 23 Nov 2026 12:00:00 GMT"
A_DAY_MS = 86_400_000


def body(**members: object) -> bytes:
    """Return an error body as HubSpot sends it."""
    return json.dumps({"status": "error", "correlationId": CORRELATION, **members}).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, "server"),
        (401, "unauthorised"),
        (403, "forbidden"),
        (408, "server"),
        (410, "no_such_path"),
        (423, "locked"),
        (429, "rate_limited"),
        (477, "migrating"),
        (500, "server"),
        (502, "server"),
        (503, "server"),
        (504, "server"),
        (521, "server"),
        (524, "server"),
    ],
)
def test_failures_of_the_account(status: int, kind: FailureKind) -> None:
    """Statuses that say nothing about what was asked for put the account to sleep."""
    fault = fault_of(status, {}, body(category="ANY"))

    assert isinstance(fault, PortalFailure)
    assert (fault.kind, fault.status, fault.correlation_id) == (kind, status, CORRELATION)


@pytest.mark.parametrize("status", [400, 409, 413, 414, 415, 422, 431])
def test_refusals_of_the_request(status: int) -> None:
    """Statuses about the request itself halve a batch."""
    fault = fault_of(status, {}, body(category="VALIDATION_ERROR"))

    assert isinstance(fault, RecordRefused)
    assert (fault.status, fault.category) == (status, "VALIDATION_ERROR")


NOT_FOUND = body(category="OBJECT_NOT_FOUND")


@pytest.mark.parametrize("raw", [b"", b"<html>", body(message="resource not found"), NOT_FOUND])
def test_a_404_blames_no_record(raw: bytes) -> None:
    """A path that HubSpot does not know, as with a wrong API version, is the account's failure."""
    fault = fault_of(404, {}, raw)

    assert isinstance(fault, PortalFailure)
    assert fault.kind == "no_such_path"


def test_a_single_read_may_miss() -> None:
    """A 404 of the category OBJECT_NOT_FOUND says that there is no such record."""
    assert is_missing(404, NOT_FOUND)
    assert not is_missing(404, b"<html>")
    assert not is_missing(400, NOT_FOUND)


def test_a_429_names_its_limit() -> None:
    """The limit is read out of the body, and Retry-After out of the header."""
    fault = fault_of(429, {"Retry-After": "7"}, body(policyName="TEN_SECONDLY_ROLLING"))

    assert isinstance(fault, PortalFailure)
    assert (fault.limit, fault.retry_after_ms) == ("ten_secondly", 7_000)


@pytest.mark.parametrize(
    ("status", "told", "obeyed"),
    [
        (503, "30", 30_000),
        (503, "86400", LONGEST_WAIT_MS),
        (477, "86400", A_DAY_MS),
        (477, "999999", A_DAY_MS),
        (423, "1", 2_000),
        (423, "5", 5_000),
    ],
)
def test_retry_after_is_obeyed_and_capped(status: int, told: str, obeyed: int) -> None:
    """An account that moves between hubs may ask for a day, anything else for minutes."""
    fault = fault_of(status, {"Retry-After": told}, b"")

    assert isinstance(fault, PortalFailure)
    assert fault.retry_after_ms == obeyed


def test_a_daily_limit_may_ask_for_a_day() -> None:
    """The told time of a daily limit is believed up to a day."""
    fault = fault_of(429, {"Retry-After": "40000"}, body(policyName="DAILY"))

    assert isinstance(fault, PortalFailure)
    assert fault.retry_after_ms == 40_000_000


def test_a_locked_record_waits_without_being_told() -> None:
    """HubSpot asks for two seconds after a 423."""
    fault = fault_of(423, {}, b"")

    assert isinstance(fault, PortalFailure)
    assert fault.retry_after_ms == 2_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("3", 3_000),
        ("0.25", 250),
        ("-5", 0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30_000),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("inf", LONGEST_WAIT_MS),
        ("nan", None),
        ("", None),
        ("soon", None),
    ],
)
def test_retry_after_forms(text: str, ms: int | None) -> None:
    """Seconds and HTTP dates are read, dates against the answer's own clock."""
    assert retry_after_ms({"Retry-After": text, "Date": NOON}, LONGEST_WAIT_MS) == ms


@given(st.text(), st.text())
def test_no_retry_after_raises(text: str, date: str) -> None:
    """Whatever HubSpot or a proxy sends, the wait is None or within its bounds."""
    wait_ms = retry_after_ms({"Retry-After": text, "Date": date}, LONGEST_WAIT_MS)

    assert wait_ms is None or 0 <= wait_ms <= LONGEST_WAIT_MS


def test_hubspots_clock() -> None:
    """The answer's Date is HubSpot's clock; one that cannot be read is none."""
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)

    assert date_ms({"Date": NOON}) == noon.timestamp() * 1000
    assert date_ms({"Date": "yesterday"}) is None
    assert date_ms({}) is None


def test_nothing_secret_is_said() -> None:
    """Messages hold a status, plain identifiers and no word of the body."""
    fault = fault_of(
        400,
        {"X-HubSpot-Correlation-Id": "not plain: +1 555 0100"},
        json.dumps({"message": "call +1 555 0100", "category": "see Bearer pat-na1-1"}).encode(),
    )

    assert str(fault) == "refused (status 400)"
    assert repr(fault) == "RecordRefused('refused (status 400)')"


def test_what_is_said_helps() -> None:
    """Messages name status, category and what HubSpot's support asks for."""
    fault: HubSpotError = fault_of(403, {}, body(category="MISSING_SCOPES"))

    said = f"forbidden (status 403, category MISSING_SCOPES, correlation id {CORRELATION})"
    assert str(fault) == said
