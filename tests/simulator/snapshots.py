"""Snapshots: records that the journal is asked to hold as they are."""

import random
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from tests.simulator.clock import Clock
from tests.simulator.model.journal import Journal
from tests.simulator.model.world import World
from tests.simulator.seeds import draw_uuid


class Snapshot(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How far a snapshot is; times in epoch ms."""

    id: str
    status: Literal["PENDING", "IN_PROGRESS", "SUCCESS", "FAILED", "EXPIRED"]
    initiated_at: int
    completed_at: int | None = None
    error_code: str = ""
    message: str = ""


class Snapshots:
    """Takes snapshots a moment after they were asked for."""

    def __init__(self, clock: Clock, rng: random.Random, world: World, journal: Journal) -> None:
        self.delay_ms: Callable[[], int] = lambda: 500
        self._clock = clock
        self._rng = rng
        self._world = world
        self._journal = journal
        self._known: dict[str, Snapshot] = {}

    def order(self, portal_id: int, call_id: int, properties: Sequence[str]) -> str:
        """Ask for a call as it will be in a moment, and return the id to ask after it."""
        snapshot = Snapshot(draw_uuid(self._rng), "PENDING", self._clock.now_ms())
        self._known[snapshot.id] = snapshot

        def take() -> None:
            self._take(snapshot, portal_id, call_id, properties)

        self._clock.call_at(self._clock.now_ms() + self.delay_ms(), take)
        return snapshot.id

    def _take(
        self, snapshot: Snapshot, portal_id: int, call_id: int, properties: Sequence[str]
    ) -> None:
        account = self._world.accounts.get(portal_id)
        call = account.calls.get(call_id) if account else None
        now = self._clock.now_ms()
        if call is None or call.state not in ("live", "archived"):
            done = msgspec.structs.replace(
                snapshot,
                status="FAILED",
                completed_at=now,
                error_code="VALIDATION_ERROR",
                message="The record does not exist.",
            )
        else:
            self._journal.snapshot(portal_id, call, properties)
            done = msgspec.structs.replace(snapshot, status="SUCCESS", completed_at=now)
        self._known[snapshot.id] = done

    def find(self, snapshot_id: str) -> Snapshot | None:
        """Return how far a snapshot is."""
        return self._known.get(snapshot_id)
