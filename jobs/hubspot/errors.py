"""The two ways in which asking HubSpot fails.

What both say is made of fixed words, a status, a category and HubSpot's correlation id: never a
token, a query, a body or a phone number.
"""

import re
from typing import Final, Literal

from jobs.hubspot.limits import Limit

FailureKind = Literal[
    "server",
    "locked",
    "migrating",
    "rate_limited",
    "unauthorised",
    "forbidden",
    "no_such_path",
    "timeout",
    "transport",
    "undecodable",
    "budget",
    "unknown",
    "disconnected",
    "wrong_account",
    "app_refused",
    "sealed",
]
"""What kept an account from being read.

`server`: 5xx, 408 or a redirect. `locked`: 423. `migrating`: 477, the account moves between hubs.
`rate_limited`: 429. `unauthorised`: 401. `forbidden`: 403. `no_such_path`: HubSpot does not know
what was asked, whatever the record. `timeout`: no whole answer in time. `transport`: no connection,
or it was cut. `undecodable`: the answer is not what HubSpot documents. `budget`: our own budget
says wait. `unknown`: no token for this account. `disconnected`: HubSpot refuses the
account's refresh token for good. `wrong_account`: the token belongs to another account.
`app_refused`: HubSpot refuses our app's id or secret. `sealed`: the account's tokens do not open
under our keys.
"""

OUTAGE: Final[frozenset[FailureKind]] = frozenset({"server", "timeout", "transport"})
"""Kinds by which an API, or an endpoint, that is out shows; any other is an answer."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


class HubSpotError(Exception):
    """A request that brought no usable answer.

    Attributes:
        status: of HubSpot's answer; None if there was none.
        category: HubSpot's `category` of the error, such as `MISSING_SCOPES`.
        correlation_id: what HubSpot's support asks for.
    """

    def __init__(
        self,
        words: str,
        *,
        status: int | None = None,
        category: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        self.status = status
        self.category = _plain(category)
        self.correlation_id = _plain(correlation_id)
        named = {
            "status": self.status,
            "category": self.category,
            "correlation id": self.correlation_id,
        }
        told = ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)
        super().__init__(f"{words} ({told})" if told else words)


class PortalFailure(HubSpotError):  # noqa: N818 - the design's word for what puts a portal to sleep
    """The account cannot be read now, whatever is asked: no call is to blame, all of them wait.

    Attributes:
        kind: what happened.
        retry_after_ms: how long to wait, in ms, where that was told; already capped.
        limit: which limit a 429 names; None for other kinds.
        raw: the body of an answer that cannot be read; for dead letters only, never for a log.
    """

    def __init__(  # noqa: PLR0913 - all but the kind are optional, and all are given by name
        self,
        *,
        kind: FailureKind,
        detail: str | None = None,
        status: int | None = None,
        category: str | None = None,
        correlation_id: str | None = None,
        retry_after_ms: int | None = None,
        limit: Limit | None = None,
        raw: bytes = b"",
    ) -> None:
        """Describe a failure; `detail` is a few fixed words of ours, never HubSpot's."""
        self.kind: FailureKind = kind
        self.retry_after_ms = retry_after_ms
        self.limit = limit
        self.raw = raw
        words = kind if detail is None else f"{kind}: {detail}"
        super().__init__(words, status=status, category=category, correlation_id=correlation_id)


class RecordRefused(HubSpotError):  # noqa: N818 - the design's word for what halves a batch
    """HubSpot refused this request as such: some record or parameter in it is to blame."""

    def __init__(
        self,
        status: int,
        *,
        category: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__("refused", status=status, category=category, correlation_id=correlation_id)


class GrantRefused(HubSpotError):  # noqa: N818 - as above
    """HubSpot refuses a code or a refresh token for good; `category` says what it calls that."""

    def __init__(
        self,
        status: int,
        *,
        category: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        words = "grant refused"
        super().__init__(words, status=status, category=category, correlation_id=correlation_id)


def _plain(word: str | None) -> str | None:
    """Return the word if it is a plain identifier: anything else might carry what must not leak."""
    return word if word is not None and _PLAIN.fullmatch(word) else None
