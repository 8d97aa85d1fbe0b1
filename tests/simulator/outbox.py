"""Notifications of one account that wait for their moment."""

import asyncio
import heapq
import random

from tests.simulator.notifications import Event


class Outbox:
    """A heap by due time; among equals chance decides, as HubSpot promises no order."""

    def __init__(self, portal_id: int, rng: random.Random) -> None:
        self.portal_id = portal_id
        self.rng = rng
        self.wake = asyncio.Event()
        self.flying = 0
        self._heap: list[tuple[int, float, Event]] = []

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def first_due(self) -> int | None:
        """When the next notification is due, in epoch ms; None if there is none."""
        return self._heap[0][0] if self._heap else None

    def put(self, event: Event, due_ms: int) -> None:
        """Add a notification that is to leave at `due_ms`."""
        heapq.heappush(self._heap, (due_ms, self.rng.random(), event))
        self.wake.set()

    def take(self, now_ms: int, size: int) -> list[Event]:
        """Return up to `size` notifications that are due, in any order."""
        events: list[Event] = []
        while self._heap and self._heap[0][0] <= now_ms and len(events) < size:
            events.append(heapq.heappop(self._heap)[2])
        self.rng.shuffle(events)
        return events

    def clear(self) -> int:
        """Forget everything that waits, and return how many that were."""
        count = len(self._heap)
        self._heap.clear()
        self.wake.set()
        return count
