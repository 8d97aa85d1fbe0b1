"""What `callstream run` knows about what it runs, and how that reads as plain lines."""

import statistics
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final, Literal

from callstream_client.events import CallEvent
from callstream_client.wire import Delivery

from jobs import instants

State = Literal["", "starting", "up", "away"]
"""How a part is; empty where nobody looks."""

SHOWN: Final = 100
"""Events kept to be shown."""
MEASURED: Final = 2_000
"""Ages kept for the percentiles."""
RATE_OVER_S: Final = 5.0
"""The rate is that of the last seconds."""
CHANGES_NAMED: Final = 3
"""Changes of an event that are named; of more the number is told."""


@dataclass
class Part:
    """Something that runs, or that is connected to."""

    name: str
    what: str
    where: str = ""
    state: State = ""


@dataclass(frozen=True)
class Line:
    """One event as it is shown."""

    at_ms: int
    """When it landed on the stream, in epoch ms."""
    age_ms: int | None
    """From the change in HubSpot to the stream; None if no notification told of it."""
    kind: str
    """The last word of its type, such as `updated`."""
    portal_id: int
    call_id: str
    title: str
    changes: str


@dataclass
class Board:
    """Parts, counts, ages and the latest events."""

    parts: list[Part]
    hint: str = ""
    """What to try in another terminal."""
    published: Counter[str] = field(default_factory=Counter[str])
    """Events by kind."""
    answered: int = 0
    """Changes that the events answer."""
    waiting: int = 0
    """Calls due or being read."""
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=SHOWN))
    warning: str = ""
    """The last thing that a part complained about."""
    started: float = field(default_factory=time.monotonic)
    _ages: deque[int] = field(default_factory=lambda: deque(maxlen=MEASURED))
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=MEASURED))

    def take(self, delivery: Delivery) -> Line | None:
        """Count an event; returns how it is shown, None for what is not about a call."""
        event = delivery.event
        if not isinstance(event, CallEvent):
            return None
        line = line_of(delivery.entry_id, event)
        self.published[line.kind] += 1
        self.answered += len(event.data.changes)
        self.lines.append(line)
        self._times.append(time.monotonic())
        if line.age_ms is not None:
            self._ages.append(line.age_ms)
        return line

    def rate(self) -> float:
        """Return events per second of late."""
        since = max(time.monotonic() - RATE_OVER_S, self.started)
        length = time.monotonic() - since
        return sum(at > since for at in self._times) / length if length > 0 else 0.0

    def ages(self) -> tuple[int, int] | None:
        """Return the median and the 99th percentile of the ages in ms, None without any."""
        if not self._ages:
            return None
        if len(self._ages) == 1:
            return self._ages[0], self._ages[0]
        cuts = statistics.quantiles(self._ages, n=100, method="inclusive")
        return round(cuts[49]), round(cuts[98])

    def summary(self) -> str:
        """Return the counts in one line."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.published.most_common())
        ages = self.ages()
        words = [
            f"{self.published.total()} events for {self.answered} changes",
            *([f"({kinds})"] if kinds else []),
            f"{self.rate():.1f}/s",
            f"{self.waiting} waiting",
            *([f"change to stream p50 {ages[0]} ms, p99 {ages[1]} ms"] if ages else []),
        ]
        return "  ".join(words)


def line_of(entry_id: str, event: CallEvent) -> Line:
    """Return how an event is shown."""
    at_ms = int(entry_id.partition("-")[0])
    changed = instants.parse(event.time) if event.data.changes else None
    call = event.data.call
    return Line(
        at_ms=at_ms,
        age_ms=None if changed is None else max(0, at_ms - instants.to_ms(changed)),
        kind=event.type.rpartition(".")[2],
        portal_id=event.data.portal_id,
        call_id=event.data.call_id,
        title=(call.title or "") if call else "",
        changes=changes_of(event),
    )


def changes_of(event: CallEvent) -> str:
    """Return what changed in few words: the properties, or else the kinds of change."""
    named = dict.fromkeys(change.property or change.kind for change in event.data.changes)
    if len(named) > 1:
        named.pop("creation", None)  # the event's type says so already
    words = list(named)
    more = len(words) - CHANGES_NAMED
    return ", ".join(words[:CHANGES_NAMED]) + (f" +{more}" if more > 0 else "")


def plain(line: Line) -> str:
    """Return an event as one line of a log: without what was said on the call."""
    when = instants.ms_to_text(line.at_ms)
    age = "" if line.age_ms is None else f"  {line.age_ms} ms after the change"
    changes = f"  {line.changes}" if line.changes else ""
    return f"{when}  {line.kind:<8}  {line.portal_id}:{line.call_id}{age}{changes}"
