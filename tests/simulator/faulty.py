"""What HubSpot, or the edge before it, says when something is wrong on its side."""

from collections.abc import Mapping

from tests.simulator.answers import HubSpotError, Json
from tests.simulator.switchboard import Fault

_WORDS: Mapping[int, tuple[str, str]] = {
    400: ("VALIDATION_ERROR", "There was a problem with the request."),
    401: (
        "EXPIRED_AUTHENTICATION",
        "The OAuth token used to make this call expired 1 second(s) ago.",
    ),
    403: ("MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call."),
    404: ("OBJECT_NOT_FOUND", "resource not found"),
    408: ("TIMEOUT", "The request timed out."),
    409: ("CONFLICT", "The record was changed meanwhile."),
    414: ("VALIDATION_ERROR", "URI Too Long"),
    423: ("RESOURCE_LOCKED", "The resource is locked by another operation."),
    429: ("RATE_LIMITS", "You have reached your ten_secondly_rolling limit."),
    477: ("MIGRATION_IN_PROGRESS", "This account is being migrated to another data center."),
    500: ("INTERNAL_ERROR", "internal error"),
    503: ("SERVICE_UNAVAILABLE", "Service temporarily unavailable"),
}
_FROM_THE_EDGE = frozenset({502, 504, 521, 522, 523, 524, 525, 526, 530})
"""Statuses that Cloudflare answers, in HTML."""

MISSING_SCOPES: list[Mapping[str, Json]] = [
    {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": ["crm.objects.contacts.read"]},
    }
]


def fault_error(fault: Fault) -> HubSpotError:
    """Return the answer of a `status` fault, with a body as HubSpot would give it."""
    headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
    category, message = _WORDS.get(fault.status, ("ERROR", f"Something answered {fault.status}."))
    if fault.body is not None:
        return HubSpotError(fault.status, category, message, headers=headers, raw=fault.body)
    if fault.status in _FROM_THE_EDGE:
        page = f"<!DOCTYPE html><html><head><title>{fault.status}</title></head></html>\n"
        headers["Content-Type"] = "text/html; charset=UTF-8"
        return HubSpotError(fault.status, category, message, headers=headers, raw=page)
    extra: dict[str, Json] = {}
    if fault.status == 429:
        extra = {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
    errors = MISSING_SCOPES if fault.status == 403 else []
    return HubSpotError(
        fault.status, category, message, errors=errors, extra=extra, headers=headers
    )
