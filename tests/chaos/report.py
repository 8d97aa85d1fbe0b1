"""What `make chaos` leaves behind: a JSON file, and a table on the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.machine import Machine
from tests.chaos.verdict import Result

FILE: Final = Path("build/chaos/chaos.json")
COLUMNS: Final = (
    ("window", "left"),
    ("seed", "right"),
    ("verdict", "left"),
    ("data kept", "left"),
    ("delivered", "right"),
    ("changes", "right"),
    ("lost", "right"),
    ("repeated", "right"),
    ("reordered", "right"),
    ("other", "right"),
    ("by hand", "right"),
    ("round", "left"),
    ("first event", "right"),
    ("whole", "right"),
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All results, and where they were got."""

    at: str
    command: str
    machine: Machine
    took_s: float
    results: Sequence[Result]

    @property
    def passed(self) -> bool:
        """Whether every window was valid and as promised; a discarded one says nothing."""
        return all(result.passed for result in self.results)

    def write(self, path: Path = FILE) -> Path:
        """Write the report as JSON, and return where it is."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")
        return path

    def show(self, console: Console) -> None:
        """Print the table and what it leaves out."""
        table = Table(title="The fault campaign")
        for name, justify in COLUMNS:
            table.add_column(name, justify="right" if justify == "right" else "left")
        for result in self.results:
            table.add_row(*cells(result), style="" if result.passed else "red")
        console.print(table)
        valid = [result for result in self.results if result.status == "VALID"]
        console.print(
            f"{len(valid)} of {len(self.results)} windows valid, "
            f"{sum(result.passed for result in valid)} as promised, in {self.took_s / 60:.1f} min",
        )


def cells(result: Result) -> list[str]:
    """Return a result as the cells of its row."""
    last = result.after_round or result.before_round
    found = result.before_round
    lost = f"{found.lost}" if result.after_round is None else f"{found.lost} → {last.lost}"
    return [
        result.window,
        f"{result.seed}",
        "as promised" if result.passed else f"{result.status}: {result.why}",
        "yes" if result.kept else _lost_s(result),
        f"{result.delivered.count}",
        f"{result.load.changes}",
        lost,
        f"{found.repeated}",
        f"{found.reordered}",
        f"{last.other}",
        f"{len(result.manual)}",
        result.round_by,
        "" if result.first_event_s is None else f"{result.first_event_s:.2f} s",
        "never" if result.whole_s is None else f"{result.whole_s:.1f} s",
    ]


def details(result: Result) -> list[str]:
    """Return what a result that is not as promised has to say."""
    lines = [*result.manual, *result.histories]
    for found in (result.before_round, result.after_round):
        if found is not None:
            lines += [f"{name}: {line}" for name, all_of in found.named.items() for line in all_of]
    return lines


def _lost_s(result: Result) -> str:
    spans = [loss.span_s for losses in result.losses.values() for loss in losses]
    return f"no, {max(spans):.1f} s"
