"""What became of notifications, in figures."""

import msgspec


class Tally(msgspec.Struct):
    """What happened to notifications so far."""

    made: int = 0
    """Notifications of changes, before any was dropped or doubled."""
    dropped: int = 0
    doubled: int = 0
    late: int = 0
    requests: int = 0
    failed_requests: int = 0
    attempts: int = 0
    """Notifications sent, every attempt counted."""
    delivered: int = 0
    """Notifications that were answered 2xx."""
    given_up: int = 0
    """Notifications whose last retry failed, or that an uninstall took away."""
    largest_batch: int = 0
    most_in_flight: int = 0
    statuses: dict[int, int] = {}
    """Requests by answered status; 0 = no answer in time."""
