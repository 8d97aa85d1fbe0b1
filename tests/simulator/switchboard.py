"""Faults on request: which answers go wrong, how, and how often they did."""

import random
from collections import deque
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

Effect = Literal[
    "status",
    "delay",
    "hang",
    "cut",
    "cut_after",
    "truncate",
    "corrupt",
    "stale",
    "drop_notification",
    "delay_notification",
    "double_notification",
]
REMEMBERED = 1_000
"""So many strikes are kept one by one."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong with a share of the requests that match."""

    effect: Effect
    """`status`: answered with `status`. `delay`: answered `delay_ms` later. `hang`: never
    answered. `cut`: connection closed unanswered; `cut_after`: the same once the work is done.
    `truncate`: body ends half way. `corrupt`: body is not JSON. `stale`: records as they were
    `steps` changes ago. `drop_notification`, `delay_notification` (by `delay_ms`),
    `double_notification`: what they say; there the operation is the subscription type."""
    share: float = 1.0
    operation: str = "*"
    """Which operations, as a pattern: `calls.batch_read`, `calls.*`, `*`, `object.creation`."""
    portal_id: int | None = None
    object_id: int | None = None
    """Only requests that name this record."""
    since_ms: int | None = None
    until_ms: int | None = None
    """A window of the simulator's time."""
    times: int | None = None
    """Ends after it struck so often."""
    status: int = 500
    retry_after: str | None = None
    body: str | None = None
    """Instead of what HubSpot would say."""
    delay_ms: int = 1_000
    steps: int = 1


class Asked(msgspec.Struct, frozen=True):
    """What a fault looks at: a request, or a notification."""

    operation: str
    portal_id: int | None
    at_ms: int


class Strike(msgspec.Struct, frozen=True):
    """A fault that struck."""

    fault_id: int
    at_ms: int
    operation: str
    portal_id: int | None


class Switchboard:
    """The faults that are set, by id."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._faults: dict[int, Fault] = {}
        self.struck: dict[int, int] = {}
        """How often each fault struck, also after it was taken away."""
        self.strikes: deque[Strike] = deque(maxlen=REMEMBERED)

    @property
    def faults(self) -> dict[int, Fault]:
        """The faults that are set."""
        return self._faults

    def set(self, fault: Fault) -> int:
        """Add a fault and return its id."""
        fault_id = len(self.struck) + 1
        self._faults[fault_id] = fault
        self.struck[fault_id] = 0
        return fault_id

    def clear(self, fault_id: int | None = None) -> None:
        """Take one fault away, or all."""
        if fault_id is None:
            self._faults.clear()
        else:
            self._faults.pop(fault_id, None)

    def strike(self, asked: Asked, object_ids: frozenset[int] | None = None) -> list[Fault]:
        """Return the faults that strike a request, in the order in which they were set.

        Without `object_ids` only those that name no record are asked, with it only the others.
        """
        return [
            fault
            for fault_id, fault in self._faults.items()
            if not fault.effect.endswith("_notification")
            and (fault.object_id is None) == (object_ids is None)
            and (object_ids is None or fault.object_id in object_ids)
            and self._hits(fault_id, fault, asked)
        ]

    def strike_notification(self, asked: Asked, object_ids: frozenset[int]) -> list[Fault]:
        """Return the faults that strike a notification about these records."""
        return [
            fault
            for fault_id, fault in self._faults.items()
            if fault.effect.endswith("_notification")
            and (fault.object_id is None or fault.object_id in object_ids)
            and self._hits(fault_id, fault, asked)
        ]

    def _hits(self, fault_id: int, fault: Fault, asked: Asked) -> bool:
        hit = (
            fnmatchcase(asked.operation, fault.operation)
            and fault.portal_id in (None, asked.portal_id)
            and (fault.since_ms is None or fault.since_ms <= asked.at_ms)
            and (fault.until_ms is None or asked.at_ms < fault.until_ms)
            and (fault.times is None or self.struck[fault_id] < fault.times)
            and self._rng.random() < fault.share
        )
        if hit:
            self.struck[fault_id] += 1
            self.strikes.append(Strike(fault_id, asked.at_ms, asked.operation, asked.portal_id))
        return hit
