"""`python -m tests.chaos`, which is `make chaos`: the fault campaign.

Exit status 0 if every window was valid and as promised, 1 if not, 2 for wrong usage.
"""

import argparse
import asyncio
import shlex
import sys
import time
import traceback
from pathlib import Path

import msgspec
from rich.console import Console

from tests.bench.machine import Machine
from tests.bench.report import now
from tests.chaos.campaign import chosen, every_window
from tests.chaos.conduct import conduct
from tests.chaos.report import FILE, Report, details
from tests.chaos.verdict import Result, undone
from tests.chaos.window import Window

WIDTH = 190
"""Columns that the table needs."""
MOST_TOLD = 300


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    add = parser.add_argument
    add("windows", nargs="*", help="names, or how names begin; all without any")
    add("--seeds", default="1", help="comma-separated; one campaign each")
    add("--list", action="store_true", help="list the windows and end")
    add("--scale", type=float, help="of all waits, instead of each window's own")
    add("--patience", type=float, help="seconds until quiet, at most, instead of each window's own")
    add("--json", type=Path, default=FILE, help="where the result goes")
    return parser


async def campaign(windows: list[Window], seeds: list[int], console: Console) -> list[Result]:
    """Conduct the windows one after the other, a discarded one twice, and say how each went."""
    results: list[Result] = []
    for seed in seeds:
        for window in windows:
            result = await attempt(window, seed)
            if result.status == "DISCARDED":
                console.print(f"{window.name} (seed {seed}): again, {result.why}", style="yellow")
                result = msgspec.structs.replace(await attempt(window, seed), attempts=2)
            results.append(result)
            said = "as promised" if result.passed else f"{result.status}: {result.why}"
            console.print(f"{window.name} (seed {seed}): {said}, {result.took_s:.0f} s")
            if not result.passed:
                for line in details(result):
                    console.print(f"  {line}", style="red", markup=False)
    return results


async def attempt(window: Window, seed: int) -> Result:
    """Conduct a window; one that cannot be conducted is discarded, and the reason told."""
    try:
        return await conduct(window, seed)
    except Exception as error:  # noqa: BLE001 - the other windows are still to be conducted
        traceback.print_exception(error)
        return undone(window, seed, f"not conducted: {type(error).__name__}: {error}"[:MOST_TOLD])


def main() -> int:
    """Run the campaign and return the exit status."""
    args = arguments().parse_args()
    console = Console(width=max(WIDTH, Console().width))
    if args.list:
        for window in every_window().values():
            console.print(f"{window.name}: {window.fault}")
        return 0
    try:
        windows = chosen(args.windows)
        if args.scale:
            windows = [msgspec.structs.replace(window, scale=args.scale) for window in windows]
        if args.patience:
            windows = [
                msgspec.structs.replace(window, settled_within_s=args.patience)
                for window in windows
            ]
        seeds = [int(seed) for seed in args.seeds.split(",")]
    except ValueError as error:
        console.print(str(error), style="red")
        return 2
    began = time.monotonic()
    results = asyncio.run(campaign(windows, seeds, console))
    report = Report(
        at=now(),
        command=shlex.join(["python", "-m", "tests.chaos", *sys.argv[1:]]),
        machine=Machine.look(),
        took_s=round(time.monotonic() - began, 1),
        results=results,
    )
    report.show(console)
    console.print(f"written to {report.write(args.json)}", style="dim")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
