"""The words of the findings: why HubSpot did not answer as asked and what to do; lists of names."""

from collections.abc import Iterable, Mapping
from typing import Final

from jobs.hubspot.errors import FailureKind, HubSpotError, PortalFailure

SHOWN: Final = 5
"""Names that a line lists."""

_AUTH: Final = "check HUBSPOT_ACCESS_TOKEN: the app's Auth tab in HubSpot shows the token in force"
_NETWORK: Final = "check DNS, firewall and proxy on the way to HUBSPOT_API_URL"
_LATER: Final = "try again later; status.hubspot.com tells of outages"

TODO: Final[Mapping[FailureKind, str]] = {
    "unauthorised": _AUTH,
    "forbidden": "give the app the scope that is missing, and install it again",
    "no_such_path": "check HUBSPOT_API_VERSION and HUBSPOT_API_URL",
    "timeout": _NETWORK,
    "transport": _NETWORK,
    "undecodable": "check that HUBSPOT_API_URL is HubSpot's and no proxy answers for it",
    "server": _LATER,
    "locked": _LATER,
    "migrating": "wait until HubSpot has moved the account",
    "rate_limited": "lower what else uses the token, or raise BUDGET_RESERVE",
    "disconnected": "install the app again: callstream accounts add",
    "unknown": "install the app: callstream accounts add, or set HUBSPOT_ACCESS_TOKEN",
    "wrong_account": "set the token of the account that the notifications come from",
    "app_refused": "check HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET (the first, of several)",
    "sealed": "put back the key into TOKEN_KEYS that the tokens were encrypted under",
}
"""What to do about each kind of failure."""


def told(failure: HubSpotError) -> tuple[str, str]:
    """Return what happened and what to do."""
    if isinstance(failure, PortalFailure):
        return str(failure), TODO.get(failure.kind, _LATER)
    return str(failure), TODO["no_such_path"]


def some(names: Iterable[str]) -> str:
    """Return the first few names, and how many more there are."""
    listed = list(names)
    more = len(listed) - SHOWN
    return ", ".join(listed[:SHOWN]) + (f" and {more} more" if more > 0 else "")
