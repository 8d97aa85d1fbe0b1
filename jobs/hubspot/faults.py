"""Tells which of the two kinds of failure a refusing answer is, and how long it asks to wait."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from jobs.hubspot.errors import FailureKind, PortalFailure, RecordRefused
from jobs.hubspot.limits import named_limit
from jobs.hubspot.refusal import OBJECT_NOT_FOUND, decode_error

LONGEST_WAIT_MS: Final = 300_000
"""The longest `Retry-After` that is obeyed."""
LONGEST_LAST_MS: Final = 86_400_000
"""The same where a day is honest: a daily limit, an account that moves between hubs (477)."""
LOCKED_MS: Final = 2_000
"""The least wait after a 423 (HubSpot's error handling guide)."""

_KINDS: Final[Mapping[int, FailureKind]] = {
    401: "unauthorised",
    403: "forbidden",
    404: "no_such_path",
    405: "no_such_path",
    408: "server",
    410: "no_such_path",
    423: "locked",
    429: "rate_limited",
    477: "migrating",
}
_SERVER: Final = 500
_CLIENT: Final = 400
_NOT_FOUND: Final = 404


def fault_of(status: int, headers: Mapping[str, str], body: bytes) -> PortalFailure | RecordRefused:
    """Return what an answer other than 200 and 207 means.

    A 404 is not about a record: batch reads name missing ids in a 207, and a single read that finds
    nothing is an answer (see `is_missing`). So HubSpot does not know the path, as with a wrong
    `HUBSPOT_API_VERSION`, and no call may suffer for that.
    """
    error = decode_error(body)
    correlation_id = error.correlation_id or headers.get("X-HubSpot-Correlation-Id")
    kind = _kind(status)
    if kind is None:
        return RecordRefused(status, category=error.category, correlation_id=correlation_id)
    limit = named_limit(error.policy_name, error.message) if kind == "rate_limited" else None
    patient = kind == "migrating" or limit == "daily"
    told = retry_after_ms(headers, LONGEST_LAST_MS if patient else LONGEST_WAIT_MS)
    return PortalFailure(
        kind=kind,
        status=status,
        category=error.category,
        correlation_id=correlation_id,
        retry_after_ms=max(told or 0, LOCKED_MS) if kind == "locked" else told,
        limit=limit,
    )


def retry_after_ms(headers: Mapping[str, str], longest_ms: int) -> int | None:
    """Return `Retry-After` in ms, at most `longest_ms`; None if it is absent or unreadable.

    It is a number of seconds or an HTTP date, which is held against the answer's own `Date`.
    """
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        until = _http_date(text)
        if until is None:
            return None
        now = _http_date(headers.get("Date", "")) or datetime.now(UTC)
        seconds = (until - now).total_seconds()
    if seconds != seconds:  # noqa: PLR0124 - only NaN differs from itself, and float() reads "nan"
        return None
    return round(min(max(0.0, seconds * 1000), longest_ms))


def date_ms(headers: Mapping[str, str]) -> int | None:
    """Return the answer's `Date`, HubSpot's own clock, in epoch ms; None without a readable one."""
    date = _http_date(headers.get("Date", ""))
    return None if date is None else round(date.timestamp() * 1000)


def is_missing(status: int, body: bytes) -> bool:
    """Tell whether the answer to a single read says that there is no such record."""
    return status == _NOT_FOUND and decode_error(body).category == OBJECT_NOT_FOUND


def _kind(status: int) -> FailureKind | None:
    """Return the kind of portal failure, None if the request itself was refused."""
    if status >= _SERVER or status < _CLIENT:
        return "server"
    return _KINDS.get(status)


def _http_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
