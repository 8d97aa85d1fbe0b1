"""How old small, steady changes get when the budget is the limit: `python -m tests.bench.pace`.

Calls are logged at random moments, a few in a second, in an account whose limit is 100 requests in
10 s. Each claim costs five requests, so the limit is felt; what counts is how even the ages are.
"""

import argparse
import asyncio
import random

from tests.bench.deployment import ages_ms, deployed
from tests.bench.sheet import Row, hand_in, percentile
from tests.simulator.messages import Create
from tests.support.fleet import Plan


async def measure(*, rate: float, seconds: float, limit: int, workers: int, seed: int) -> Row:
    """Log calls for a while and return the figures."""
    plan = Plan(services=1, workers=workers, rate_limit=limit, knobs={"latency_ms": 50})
    rng = random.Random(seed)
    async with deployed(plan) as running:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        logged = 0
        while loop.time() < end:
            await running.hubspot.do(Create(properties={"hs_call_title": f"call {logged}"}))
            logged += 1
            await asyncio.sleep(rng.expovariate(rate))
        evidence = await running.settle(60)
        ages = await ages_ms(running, running.portal_id)
        return {
            "limit": limit,
            "workers": workers,
            "seed": seed,
            "calls": logged,
            "events": len(ages),
            "p50 ms": percentile(ages, 0.5),
            "p90 ms": percentile(ages, 0.9),
            "p99 ms": percentile(ages, 0.99),
            "max ms": max(ages),
            "requests": sum(evidence.counts.by_operation.values()),
            "429s": evidence.counts.refused,
        }


async def main() -> None:
    """Measure with each seed, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pace")
    parser.add_argument("--rate", type=float, default=3.0, help="calls per second (3)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each repetition (60)")
    parser.add_argument("--limit", type=int, default=100, help="requests per 10 s (100)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    rows = [
        await measure(
            rate=given.rate,
            seconds=given.seconds,
            limit=given.limit,
            workers=given.workers,
            seed=seed,
        )
        for seed in range(1, given.repeat + 1)
    ]
    hand_in("pace", rows)


if __name__ == "__main__":
    asyncio.run(main())
