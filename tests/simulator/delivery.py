"""Carries notifications to the receiver as HubSpot does: batches, in-flight limit, retries."""

import asyncio
import copy
from collections.abc import Callable, Coroutine, Iterable, Sequence

import aiohttp
import msgspec
from msgspec import UNSET

from tests.simulator.clock import Clock
from tests.simulator.headers import USER_AGENT, signed_headers
from tests.simulator.knobs import Knobs
from tests.simulator.model.apps import App
from tests.simulator.notifications import Event
from tests.simulator.outbox import Outbox
from tests.simulator.seeds import stream
from tests.simulator.switchboard import Asked, Fault, Switchboard
from tests.simulator.tally import Tally

BARE = ("change_flag", "change_source", "source_id", "is_sensitive", "is_primary_association")
"""Fields that HubSpot may leave out."""


class Delivery:
    """All outboxes of one app, each with a task of its own while it holds anything."""

    def __init__(
        self,
        clock: Clock,
        seed: int,
        app: App,
        knobs: Callable[[], Knobs],
        switchboard: Switchboard,
    ) -> None:
        self.tally = Tally()
        self.acknowledged: dict[int, dict[int, int]] = {}
        """When each call's latest notification was answered 2xx, by portal and call."""
        self.sent: dict[int, dict[int, int]] = {}
        """When the latest request set out that was answered so, by portal and call."""
        self._clock = clock
        self._seed = seed
        self._app = app
        self._switchboard = switchboard
        self._knobs = knobs
        self._boxes: dict[int, Outbox] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._pending = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Open the connections."""
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        self._session = aiohttp.ClientSession(
            connector=connector, headers={"User-Agent": USER_AGENT}, auto_decompress=False
        )

    async def stop(self) -> None:
        """Drop what waits and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def reset(self) -> None:
        """Start counting anew."""
        self.tally = Tally()

    @property
    def pending(self) -> int:
        """How many notifications wait or are in flight."""
        return self._pending

    async def quiet(self) -> None:
        """Return once nothing waits and nothing is in flight."""
        await self._idle.wait()

    def offer(self, portal_id: int, events: Iterable[Event]) -> None:
        """Take notifications over; those of one change are spread over `spread_ms`."""
        box, knobs, now = self._box(portal_id), self._knobs(), self._clock.now_ms()
        for event in events:
            self.tally.made += 1
            fate = self._fate(box, knobs, event, now)
            self.tally.dropped += not fate
            self.tally.doubled += len(fate) > 1
            if box.rng.random() < knobs.bare_share:
                for name in BARE:
                    setattr(event, name, UNSET)
            if knobs.classic_names:
                event.event_type, event.subscription_type = event.subscription_type, UNSET
            for due in fate:
                self._put(box, copy.copy(event), due)

    def _fate(self, box: Outbox, knobs: Knobs, event: Event, now: int) -> list[int]:
        """Return when a notification leaves: never, once or twice."""
        rng = box.rng
        due = now + round(rng.uniform(0, knobs.spread_ms))
        dropped, doubled = rng.random() < knobs.drop_share, rng.random() < knobs.duplicate_share
        if rng.random() < knobs.late_share:
            self.tally.late += 1
            due += round(rng.uniform(0, knobs.late_within_ms))
        for fault in self._struck(box.portal_id, event, now):
            dropped = dropped or fault.effect == "drop_notification"
            doubled = doubled or fault.effect == "double_notification"
            due += fault.delay_ms if fault.effect == "delay_notification" else 0
        again = [due + round(rng.uniform(0, knobs.duplicate_within_ms))] if doubled else []
        return [] if dropped else [due, *again]

    def _struck(self, portal_id: int, event: Event, now: int) -> list[Fault]:
        if not self._switchboard.faults:
            return []
        named = (event.object_id, event.from_object_id, event.to_object_id)
        ids = frozenset(value for value in named if value is not UNSET)
        kind = event.subscription_type or event.event_type or ""
        return self._switchboard.strike_notification(Asked(kind, portal_id, now), ids)

    def forget(self, portal_id: int) -> None:
        """Drop what waits for an account that uninstalled the app."""
        self._settle(count := self._box(portal_id).clear())
        self.tally.given_up += count

    def _box(self, portal_id: int) -> Outbox:
        box = self._boxes.get(portal_id)
        if box is None:
            box = Outbox(portal_id, stream(self._seed, portal_id, "delivery"))
            self._boxes[portal_id] = box
        return box

    def _put(self, box: Outbox, event: Event, due: int) -> None:
        if not box and not box.flying:
            self._own(self._drain(box))
        box.put(event, due)
        self._pending += 1
        self._idle.clear()

    def _own(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, box: Outbox) -> None:
        while box or box.flying:
            knobs, now, due = self._knobs(), self._clock.now_ms(), box.first_due
            leaves = None if due is None else due + knobs.gather_ms
            if box.flying >= knobs.in_flight:
                leaves = None
            elif leaves is not None and leaves <= now:
                size = 1 if knobs.body_style == "object" else knobs.batch_size
                box.flying += 1
                self.tally.most_in_flight = max(self.tally.most_in_flight, box.flying)
                self._own(self._carry(box, box.take(now, size)))
                continue
            await self._clock.wait(leaves, box.wake)

    async def _carry(self, box: Outbox, events: list[Event]) -> None:
        sent = self._clock.now_ms()
        try:
            status = await self._send(events)
        finally:
            box.flying -= 1
            box.wake.set()
        tally = self.tally
        tally.requests += 1
        tally.attempts += len(events)
        tally.largest_batch = max(tally.largest_batch, len(events))
        tally.statuses[status] = tally.statuses.get(status, 0) + 1
        if 200 <= status < 300:
            tally.delivered += len(events)
            self._note(box.portal_id, events, sent)
        else:
            tally.failed_requests += 1
            self._retry(box, events)
        self._settle(len(events))

    def _settle(self, count: int) -> None:
        self._pending -= count
        if self._pending == 0:
            self._idle.set()

    def _note(self, portal_id: int, events: Sequence[Event], sent: int) -> None:
        now, known = self._clock.now_ms(), self.acknowledged.setdefault(portal_id, {})
        sent_at = self.sent.setdefault(portal_id, {})
        for event in events:
            for value in (event.object_id, event.from_object_id, event.to_object_id):
                if value is not UNSET:
                    known[value] = now
                    sent_at[value] = max(sent, sent_at.get(value, 0))

    def _retry(self, box: Outbox, events: Sequence[Event]) -> None:
        """Put a refused batch back: in two parts with a wait each, to be grouped anew."""
        knobs, now = self._knobs(), self._clock.now_ms()
        cut = box.rng.randrange(len(events) + 1)
        for part in (events[:cut], events[cut:]):
            chance = box.rng.uniform(0.5, 1.0)
            for event in part:
                attempt = (event.attempt_number or 0) + 1
                if attempt > knobs.retries:
                    self.tally.given_up += 1
                    continue
                event.attempt_number = attempt
                wait = knobs.retry_span_ms * 2**attempt / (2 ** (knobs.retries + 1) - 2)
                self._put(box, event, now + round(wait * chance))

    async def _send(self, events: Sequence[Event]) -> int:
        app, session, knobs = self._app, self._session, self._knobs()
        if session is None or not app.target_url:
            return 0
        sent = [event.as_sent() for event in events]
        whole: object = sent[0] if knobs.body_style == "object" else sent
        body = msgspec.json.encode(whole)
        timeout = aiohttp.ClientTimeout(total=knobs.deadline_ms / 1000)
        headers = signed_headers(app, body, knobs)
        try:
            async with session.post(
                app.target_url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0
