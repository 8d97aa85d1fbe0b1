"""A backfill whose worker is killed at random moments: `python -m tests.bench.killing`.

Real processes, SIGKILL. In the end every call must be on the stream exactly once, and the same
backfill once more must publish nothing. Ends with status 1 if not.
"""

import argparse
import asyncio
import random
import sys
import time
from typing import Final

from jobs.backfill.report import report_of
from service.cli.backfill.desk import line
from tests.bench.deployment import deployed
from tests.bench.sheet import Row, hand_in
from tests.support.backfilling import backfills_of
from tests.support.fleet import Plan
from tests.support.killing import events_by_call, kill_at_random
from tests.support.trouble import SCALED

PAGE_S: Final = 0.02
TIMEOUT_S: Final = 120.0


async def measure(calls: int, kills: int, seed: int) -> Row:
    """Run the backfill twice, the first time with kills, and return what came of it."""
    plan = Plan(services=1, workers=1, environ={**SCALED, "BACKFILL_ON_CONNECT": "none"})
    scale = float(SCALED["TIMING_SCALE"])
    async with deployed(plan) as running, backfills_of(running, scale) as backfills:
        await backfills.import_calls(calls)
        began = time.monotonic()
        killed = await kill_at_random(
            running,
            backfills,
            calls=calls,
            kills=kills,
            rng=random.Random(seed),
            page_s=PAGE_S,
            timeout_s=TIMEOUT_S,
        )
        took_s = time.monotonic() - began
        found = await events_by_call(running.redis, plan.namespace)
        again = await backfills.ended(await backfills.start(), timeout_s=TIMEOUT_S)
        after = await events_by_call(running.redis, plan.namespace)
    print(line(report_of(again)))  # noqa: T201
    run = killed.run
    return {
        "calls": calls,
        "seed": seed,
        "kills": killed.kills,
        "in a turn": killed.in_turn,
        "state": run.state,
        "pages": run.pages,
        "published": run.published,
        "read twice": run.unchanged,
        "marked": run.marked,
        "on the stream": len(found),
        "more than once": sum(count > 1 for count in found.values()),
        "seconds": took_s,
        "published again": again.published,
        "added": after.total() - found.total(),
    }


def is_right(row: Row, calls: int) -> bool:
    """Tell whether every call is on the stream once, and stayed so."""
    return row["on the stream"] == calls and row["more than once"] == 0 and row["added"] == 0


def main() -> int:
    """Measure, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.killing")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    row = asyncio.run(measure(given.calls, given.kills, given.seed))
    hand_in("killing", [row])
    return 0 if is_right(row, given.calls) and row["kills"] == given.kills else 1


if __name__ == "__main__":
    sys.exit(main())
