"""What a window is: a fault, how it is known to have been delivered, what is expected after it."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec

from tests.chaos.deployment import Layout
from tests.chaos.scene import Scene

RATE: Final = 20.0
"""Changes per second, each of up to twenty notifications."""
SCALE: Final = 0.1
"""What our waits are multiplied by."""
RATE_LIMIT: Final = 6_000
"""Requests per 10 s: waits at a tenth ask up to ten times as often."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """That a fault was delivered, read back from where it struck."""

    count: int
    what: str
    needed: int = 1
    """Fewer than this, and the window says nothing."""


Strike = Callable[[Scene], Awaitable[Proof]]
"""Delivers the fault under load, and returns when it is over."""

Promise = Literal["exact", "round"]
"""`exact`: nothing lost, by itself. `round`: whole again after one reconciliation."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One fault on one deployment."""

    name: str
    fault: str
    """What is done, in a line."""
    strike: Strike
    promise: Promise | None = None
    """None: exact if the canary says that Redis kept its data, else after a round."""
    layout: Layout = Layout()
    scale: float = SCALE
    rate: float = RATE
    calm_s: float = 1.0
    """How long the load goes on before and after the fault."""
    settled_within_s: float = 60.0
