"""Everything about HubSpot's behaviour that can be turned while it runs."""

from typing import Literal

import msgspec


class Knobs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a running simulator. Times are in ms, shares from 0 to 1."""

    # The API.
    rate_limit: int = 100
    """Requests per account and app in `rate_window_ms`; HubSpot: 100, 110, 190 or 250 in 10 s."""
    rate_window_ms: int = 10_000
    oauth_rate_limit: int = 110
    """The same for OAuth apps."""
    daily_limit: int = 250_000
    """Requests of all private apps of an account per day, in its time zone."""
    search_limit: int = 5
    """Searches per account and second."""
    latency_ms: int = 0
    """How long every API answer takes."""
    latency_jitter_ms: int = 0
    """The most that chance adds to it."""
    latency_p99_ms: int = 0
    """If above `latency_ms`: that is the median, and one answer in a hundred takes longer than this
    (log-normal)."""
    search_delay_ms: int = 2_000
    """How long a change stays invisible to search."""
    association_page: int = 500
    """Associations of one record and type per page."""
    merged_ids: Literal["absent", "survivor"] = "absent"
    """What a read of a merged id finds: nothing, or the surviving record under its own id."""
    archiving_moves_date: bool = False
    """Whether archiving a call moves its `updatedAt`; restoring and merging do."""
    linking_moves_date: bool = False
    """Whether an association change moves the call's `updatedAt`."""
    archived_links: bool = True
    """Whether the associations of archived calls are still answered."""
    refused_count: bool = False
    """Whether requests that were answered 429 count against the limit."""
    token_life_ms: int = 1_800_000
    """How long a new OAuth access token lives."""
    max_url: int = 16_384
    """Longer request targets are answered 414."""
    retry_after_s: int | None = None
    """`Retry-After` of 429 answers; HubSpot documents none."""

    # The journal.
    journal_every_ms: int = 1_000
    """How long after its first event a journal file is published."""
    journal_file_size: int = 10_000
    """Events per file, at most; HubSpot: 100, since July 2026 10,000."""
    journal_keep_ms: int = 259_200_000
    """How long files are kept: three days."""

    # Notifications.
    batch_size: int = 100
    """Notifications per request, at most."""
    in_flight: int = 10
    """Requests in flight per account."""
    deadline_ms: int = 5_000
    """How long a receiver may take to answer."""
    spread_ms: int = 0
    """The notifications of one change leave at random moments within this time."""
    gather_ms: int = 0
    """How long a notification waits for others to share its request."""
    retries: int = 10
    """Further attempts after the first."""
    retry_span_ms: int = 86_400_000
    """The time over which the retries are spread; shorten it to compress the day."""
    duplicate_share: float = 0.0
    """Notifications that are delivered twice."""
    duplicate_within_ms: int = 1_000
    """The second delivery comes within this time."""
    late_share: float = 0.0
    """Notifications that are held back, and so come out of order."""
    late_within_ms: int = 1_000
    """They are held back for at most this long."""
    drop_share: float = 0.0
    """Notifications that never come."""
    bare_share: float = 0.0
    """Notifications that lack every optional field."""
    legacy_signature: Literal["v1", "v2", "none"] = "v1"
    """The older signature that is sent beside v3."""
    signature_skew_ms: int = 0
    """Added to the wall clock in `X-HubSpot-Request-Timestamp`."""
    body_style: Literal["array", "object"] = "array"
    """`object`: one notification per request, not in an array."""
    classic_names: bool = False
    """`eventType` instead of `subscriptionType`."""
