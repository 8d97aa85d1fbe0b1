"""`python -m tests.bench`, which is `make bench`: latency and coalescing, in about three minutes.

Exit status 0 if every figure is within its bound, 1 if not. Nothing else should run meanwhile.
"""

import argparse
import asyncio
import shlex
import sys

from rich.console import Console

from tests.bench import coalescing, latency
from tests.bench.machine import Machine
from tests.bench.report import Report, now


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    add = parser.add_argument
    add("--runs", type=int, default=latency.RUNS, help="runs of the latency measurement")
    add("--changes", type=int, default=latency.CHANGES, help="changes of each run")
    add("--bursts", type=int, default=3, help="bursts of each kind")
    return parser


async def measure(runs: int, changes: int, bursts: int, console: Console) -> Report:
    """Measure everything, and say what is being measured."""
    console.print("how much a burst costs ...", style="dim")
    found = [
        await coalescing.measure(spread_ms)
        for spread_ms in coalescing.BOUNDS
        for _ in range(bursts)
    ]
    console.print("how long one change takes ...", style="dim")
    return Report(
        at=now(),
        command=shlex.join(["python", "-m", "tests.bench", *sys.argv[1:]]),
        machine=Machine.look(),
        settings={
            "hubspot": "latency_ms=0, no rate limit",
            "processes": "1 service (granian, 1 worker), 1 worker; all on one machine",
            "redis": ", ".join(f"{name}={value}" for name, value in latency.SETTINGS.items()),
            "callstream": "defaults",
        },
        latency=await latency.measure(runs, changes),
        bursts=found,
    )


def main() -> int:
    """Run the measurements and return the exit status."""
    args = arguments().parse_args()
    console = Console()
    report = asyncio.run(measure(args.runs, args.changes, args.bursts, console))
    report.show(console)
    console.print(f"written to {report.write()}", style="dim")
    return 0 if report.within_bounds else 1


if __name__ == "__main__":
    sys.exit(main())
