"""What `make bench` leaves behind: one JSON file, and tables on the terminal."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.coalescing import BOUNDS, Burst
from tests.bench.latency import Latency
from tests.bench.machine import Machine
from tests.bench.scale import Scale, within_bounds
from tests.bench.sheet import Row, Value, table

FILE: Final = Path("build/bench/bench.json")
P50_MS: Final = 60.0
"""What half of the changes must not exceed, from HubSpot to the stream."""
P99_MS: Final = 150.0
"""What 99 of 100 must not exceed."""

MEMORY_COLUMNS: Final = ("portals", "calls each", "bytes per call", "target", "met", "allocator")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured, and where."""

    at: str
    command: str
    machine: Machine
    settings: Mapping[str, str]
    latency: Latency
    bursts: Sequence[Burst]
    memory: Sequence[Row]
    """What known calls cost Redis (see `tests.bench.record_memory`)."""
    scale: Scale = {}
    """The long measurements, if they were made."""

    def write(self, path: Path = FILE) -> Path:
        """Write the report as JSON, and return where it is."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")
        return path

    def show(self, console: Console) -> None:
        """Print the figures as tables."""
        console.print(f"{self.machine}\n", style="dim")
        console.print(_latency_table(self.latency))
        console.print(_burst_table(self.bursts))
        console.print(_memory_table(self.memory))
        for title, rows in self.scale.items():
            console.print(table(rows, title=title))
        late = [burst for burst in self.bursts if not burst.kept_pace]
        if late:
            console.print(
                f"In {len(late)} of {len(self.bursts)} bursts the notifications took longer than "
                "they were meant to: those figures say how this machine did, no more.",
                style="yellow",
            )

    @property
    def within_bounds(self) -> bool:
        """Tell whether every figure is within what is promised."""
        total = self.latency.total
        return (
            total["p50"].median <= P50_MS
            and total["p99"].median <= P99_MS
            and all(burst.object_reads <= BOUNDS[burst.spread_ms] for burst in self.bursts)
            and all(row["met"] == "yes" for row in self.memory)
            and within_bounds(self.scale)
        )


def now() -> str:
    """Return the time in UTC, RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _latency_table(latency: Latency) -> Table:
    table = Table(title=f"One change at a time: {latency.runs} runs of {latency.changes}")
    table.add_column("ms, median of runs (range)")
    for name in latency.total:
        table.add_column(name, justify="right")
    bounds = {"p50": P50_MS, "p99": P99_MS}
    for title, parts in (
        ("change to stream", latency.total),
        ("  change to 204", latency.to_answer),
        ("  204 to stream", latency.to_stream),
    ):
        table.add_row(title, *map(str, parts.values()))
    table.add_row("bound", *(f"{bounds[name]:.0f}" if name in bounds else "" for name in parts))
    return table


def _burst_table(bursts: Sequence[Burst]) -> Table:
    table = Table(title="1,000 new calls of 21 notifications each, within two seconds")
    columns: dict[str, Callable[[Burst], str]] = {
        "a call's within": lambda burst: f"{burst.spread_ms} ms",
        "object reads": lambda burst: f"{burst.object_reads}",
        "bound": lambda burst: f"{BOUNDS[burst.spread_ms]}",
        "association reads": lambda burst: f"{burst.association_reads}",
        "events": lambda burst: f"{burst.events:,}",
        "told in": lambda burst: f"{burst.told_within_ms:,} ms",
        "quiet in": lambda burst: f"{burst.published_within_ms:,} ms",
    }
    for title in columns:
        table.add_column(title, justify="right")
    for burst in bursts:
        table.add_row(*(shown(burst) for shown in columns.values()))
    return table


def _memory_table(rows: Sequence[Row]) -> Table:
    table = Table(title="Redis memory per known call")
    for title in MEMORY_COLUMNS:
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*(_shown(row.get(title)) for title in MEMORY_COLUMNS))
    return table


def _shown(cell: Value) -> str:
    if isinstance(cell, float):
        return f"{cell:.1f}"
    return f"{cell:,}" if isinstance(cell, int) else cell or ""
