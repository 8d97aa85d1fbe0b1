"""What the control API is asked to do, other than to calls."""

import msgspec


class TrafficOrder(msgspec.Struct, frozen=True):
    """Changes per second; 0 stops."""

    rate: float
    portal_id: int | None = None
    office_hours: bool = False
    """Slower at night and at weekends, in the account's time zone."""


class CrowdOrder(msgspec.Struct, frozen=True):
    """Many accounts of uneven size, which share calls and changes per second."""

    accounts: int
    calls: int = 0
    rate: float = 0.0


class BulkOrder(msgspec.Struct, frozen=True):
    """So many calls at once: logged in the past and untold, or imported now and told."""

    count: int
    portal_id: int | None = None
    told: bool = False


class ClockOrder(msgspec.Struct, frozen=True):
    """Move, set, freeze or resume the clock, in this order."""

    move_ms: int = 0
    set_ms: int | None = None
    freeze: bool = False
    resume: bool = False


class AccountOrder(msgspec.Struct, frozen=True):
    """Open an account."""

    portal_id: int
    token: str = ""
    installed: bool = True
    """Whether the webhook app is installed in a new account."""
    time_zone: str = ""
    """Empty = UTC, or as it was."""


class KindsOrder(msgspec.Struct, frozen=True):
    """What calls can be associated with from now on, by plural name."""

    kinds: list[str]
    refused: list[str] = []
    """Those of them that tokens may not read."""
    portal_id: int | None = None


class InstallOrder(msgspec.Struct, frozen=True):
    """Install or uninstall the webhook app."""

    installed: bool
    portal_id: int | None = None


class TargetOrder(msgspec.Struct, frozen=True):
    """Where notifications go from now on."""

    url: str
    secret: str = ""
    """Empty = as it was."""
