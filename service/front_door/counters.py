"""What the front door did since the process started, for whoever shows it."""

from collections import Counter

import msgspec


class FrontDoorCounters(msgspec.Struct):
    """Counts of requests and of what was in them."""

    responses: Counter[int] = msgspec.field(default_factory=Counter[int])
    """Requests by HTTP status."""
    rejected: Counter[str] = msgspec.field(default_factory=Counter[str])
    """Refused signatures by `service.front_door.signature.Reason`."""
    last_rejected: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """What was to be done about the last one of each reason."""
    unmarked: Counter[str] = msgspec.field(default_factory=Counter[str])
    """Verified requests that were not committed, by the `Answer` or `Outage` that was met."""
    calls: int = 0
    """Committed notifications about calls."""
    others: int = 0
    """Acknowledged notifications about other object types."""
    malformed: int = 0
    """Notifications set aside in the dead letters."""
