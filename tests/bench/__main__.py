"""`python -m tests.bench`, which is `make bench`: latency, coalescing, memory; under three minutes.

With `--full` (`make bench FULL=1`) fairness, a backlog and ten thousand accounts as well, which
takes half an hour more. Exit status 0 if every figure is within its bound, 1 if not. Nothing else
should run meanwhile.
"""

import argparse
import asyncio
import shlex
import sys

from rich.console import Console

from tests.bench import coalescing, latency, record_memory, scale
from tests.bench.machine import Machine
from tests.bench.report import Report, now


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    add = parser.add_argument
    add("--runs", type=int, default=latency.RUNS, help="runs of the latency measurement")
    add("--changes", type=int, default=30, help="changes of each run")
    add("--bursts", type=int, default=2, help="bursts of each kind")
    add("--calls", type=int, default=300_000, help="most calls whose memory is measured")
    add("--full", action="store_true", help="fairness, a backlog and many accounts as well")
    return parser


async def measure(args: argparse.Namespace, console: Console) -> Report:
    """Measure everything, and say what is being measured."""

    def say(text: str) -> None:
        console.print(text, style="dim")

    say("how much a burst costs ...")
    found = [
        await coalescing.measure(spread_ms)
        for spread_ms in coalescing.BOUNDS
        for _ in range(args.bursts)
    ]
    say("how long one change takes ...")
    waits = await latency.measure(args.runs, args.changes)
    say("what a known call costs ...")
    shapes = [*record_memory.SMALL_PORTALS, *record_memory.PORTALS, (1, 10_000), (1, args.calls)]
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
        latency=waits,
        bursts=found,
        memory=await record_memory.run(None, shapes),
        scale=await scale.measure(say) if args.full else {},
    )


def main() -> int:
    """Run the measurements and return the exit status."""
    args = arguments().parse_args()
    console = Console()
    report = asyncio.run(measure(args, console))
    report.show(console)
    console.print(f"written to {report.write()}", style="dim")
    return 0 if report.within_bounds else 1


if __name__ == "__main__":
    sys.exit(main())
