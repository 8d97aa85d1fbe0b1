"""What a backfill costs, from its first page to its last: `python -m tests.bench.backfill`.

One run of `--calls` calls within a limit of `--limit` requests in 10 s, set so high that a million
takes minutes: the cost of a page in each tenth of the run, the memory of worker and stand-in, the
rate against what the limit allows, and what the records take in Redis. Then, unless `--rounds 0`,
the same calls side by side with what others would use, without a limit: each of these gets a
virtual environment of its own under `build/bench/peers`, filled by pip; one that pip cannot fill is
left out.
"""

import argparse
import asyncio
from itertools import pairwise
from typing import Final

from rich.console import Console

from jobs.backfill.record import UNFINISHED, Run
from tests.bench.collecting import Figures, Rig, rig
from tests.bench.peers.environments import SDK, TAP
from tests.bench.sheet import Row, hand_in
from tests.bench.side_by_side import compare

RESERVE: Final = 0.1
"""BUDGET_RESERVE, by default: what is left to others of a limit."""
TENTHS: Final = 10
RECORD_BYTES: Final = 48
"""What a record may take in an account of a hundred calls or more."""
NO_LIMIT: Final = 10_000_000
POLL_S: Final = 0.5

console = Console(stderr=True)


async def steady(calls: int, limit: int) -> list[Row]:
    """Run one backfill and return a row for each tenth of it, and one for all."""
    async with rig(limit) as bench:
        console.print(f"{calls:,} calls are logged ...", style="dim")
        await bench.hubspot.bulk_all(calls)
        before = await bench.redis_bytes()
        run = await bench.start()
        console.print(f"{run.id} at {limit:,} requests in 10 s ...", style="dim")
        marks = [await bench.look(run)]
        while run.state in UNFINISHED:
            await asyncio.sleep(POLL_S)
            run = await bench.backfills.find(run.id)
            if run.seen * TENTHS >= len(marks) * calls:
                marks.append(await bench.look(run))
        rows = [_part(a, b, number) for number, (a, b) in enumerate(pairwise(marks), 1)]
        return [*rows, await _whole(bench, run, limit, before)]


def _part(begin: Figures, end: Figures, number: int) -> Row:
    pages = max(1, end.pages - begin.pages)
    return {
        "part": f"tenth {number}",
        "pages": end.pages - begin.pages,
        "pages/s": pages / (end.at - begin.at),
        "worker ms/page": 1000 * (end.worker_cpu_s - begin.worker_cpu_s) / pages,
        "redis ms/page": 1000 * (end.redis_cpu_s - begin.redis_cpu_s) / pages,
        "worker MiB": end.worker_mib,
        "stand-in MiB": end.stand_in_mib,
    }


async def _whole(bench: Rig, run: Run, limit: int, before: int) -> Row:
    await bench.forget_events()
    seconds = (run.ended_at - run.started_at) / 1000
    allowed = limit * (1 - RESERVE) / 10
    counts = (await bench.hubspot.control.requests()).accounts[bench.portal_id]
    return {
        "part": f"all: {run.state}",
        "pages": run.pages,
        "pages/s": run.pages / seconds,
        "of the rate allowed": f"{100 * run.pages / seconds / allowed:.1f} %",
        "calls": run.seen,
        "published": run.published,
        "seconds": seconds,
        "bytes/record": (await bench.redis_bytes() - before) / max(1, run.seen),
        "at most": RECORD_BYTES,
        "records": await bench.records(),
        "most in 10 s": counts.peak_10s,
        "refused": counts.refused,
    }


async def resources(calls: int, rounds: int) -> list[Row]:
    """Measure a backfill side by side with the peers, in turn."""
    async with rig(NO_LIMIT) as bench:
        await bench.hubspot.bulk_all(calls)
        return await compare(bench, rounds, (SDK, TAP), console)


async def measure(calls: int, limit: int, side: int, rounds: int) -> None:
    """Measure all of it; each part leaves a sheet."""
    if calls:
        hand_in("backfill", await steady(calls, limit))
    if rounds:
        hand_in("backfill", await resources(side, rounds), part="side-by-side")


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.backfill")
    add = parser.add_argument
    add("--calls", type=int, default=1_000_000, help="calls of the long run; 0 leaves it out")
    add("--limit", type=int, default=600, help="requests in 10 s that the stand-in allows")
    add("--side-by-side", type=int, default=20_000, help="calls of each run beside the peers")
    add("--rounds", type=int, default=5, help="runs of each beside the others; 0 leaves them out")
    args = parser.parse_args()
    asyncio.run(measure(args.calls, args.limit, args.side_by_side, args.rounds))


if __name__ == "__main__":
    main()
