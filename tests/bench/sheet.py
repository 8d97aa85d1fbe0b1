"""What a measurement leaves behind: a JSON file under `build/bench`, and a printed table."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.machine import Machine

FOLDER: Final = Path("build/bench")
_WIDTH: Final = 150

Value = str | int | float | None
Row = Mapping[str, Value]


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement and where it was taken."""

    name: str
    command: str
    machine: Machine
    at: str
    rows: Sequence[Row]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that at least `share` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def hand_in(name: str, rows: Sequence[Row], *, part: str = "") -> Path:
    """Write the rows to a JSON file, print them as a table, and return the file.

    Args:
        name: of the module that measured.
        rows: one for each measurement.
        part: tells several tables of one measurement apart.
    """
    sheet = Sheet(
        name=name,
        command=" ".join(["python -m", f"tests.bench.{name}", *sys.argv[1:]]),
        machine=Machine.look(),
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        rows=rows,
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{'-'.join(filter(None, (name, part)))}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(sheet)) + b"\n")
    console = Console(width=_WIDTH)
    console.print(f"{sheet.command}\n{sheet.machine}", style="dim")
    console.print(table(rows))
    return path


def table(rows: Sequence[Row], *, title: str | None = None) -> Table:
    """Return the rows as a table; a column where all are text is text."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    made = Table(title=title)
    for column in columns:
        is_text = all(isinstance(row.get(column), str) for row in rows)
        made.add_column(column, justify="left" if is_text else "right")
    for row in rows:
        made.add_row(*(_shown(row.get(column)) for column in columns))
    return made


def _shown(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else value
