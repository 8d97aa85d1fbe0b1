"""What accounts that cannot be read cost the others: `python -m tests.bench.sweeping`.

Ten thousand accounts with marks are asleep, cool down, or are disconnected, while one account is
worked on. What counts is the server's time for each script, as Redis itself counts it.
"""

import argparse
import asyncio
import statistics
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from redis.asyncio import Redis

from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Done, Later, Mark, Outcome
from jobs.redis import command, connect
from jobs.timing import Timing
from service.embedded.server import EmbeddedRedis
from tests.bench.sheet import Row, hand_in

AN_HOUR_MS: Final = 3_600_000
QUEUE: Final = "callstream:live"
ACTIVE: Final = 1
ROUNDS: Final = 300
REPEATS: Final = 5

Make = Callable[[Ledger, int], Awaitable[None]]


async def leave(ledger: Ledger, portal_id: int) -> None:
    """Connect the portal and mark a call, nothing more."""
    await ledger.connect(portal_id)
    await ledger.mark([Mark(portal_id, "1", (Hint("creation", 1),))])


async def put_to_sleep(ledger: Ledger, portal_id: int) -> None:
    """Let the portal's API have failed."""
    await leave(ledger, portal_id)
    claim = await ledger.claim(portal_id)
    await ledger.settle(
        portal_id, claim.token, [Later("1")], Outcome("failed", AN_HOUR_MS, "server")
    )


async def cool(ledger: Ledger, portal_id: int) -> None:
    """Let the portal wait for its budget."""
    await leave(ledger, portal_id)
    claim = await ledger.claim(portal_id)
    await ledger.settle(
        portal_id, claim.token, [Later("1")], Outcome("waits", AN_HOUR_MS, "budget")
    )


async def disconnect(ledger: Ledger, portal_id: int) -> None:
    """Let the portal have withdrawn its token."""
    await leave(ledger, portal_id)
    await ledger.disconnect(portal_id, "withdrawn")


CROWDS: Final[dict[str, Make | None]] = {
    "none": None,
    "asleep": put_to_sleep,
    "cooling": cool,
    "disconnected": disconnect,
}


class Costs(msgspec.Struct, frozen=True):
    """Microseconds of the server for one call of each script."""

    sweep: float
    mark: float
    claim: float
    settle: float


async def script_us(redis: Redis, work: Callable[[int], Awaitable[object]]) -> float:
    """Do something with one script `ROUNDS` times, and return the server's us for each."""
    await command(redis, "CONFIG", "RESETSTAT")
    for number in range(ROUNDS):
        await work(number)
    stats = msgspec.convert(await redis.info("commandstats"), dict[str, dict[str, float]])
    return stats["cmdstat_evalsha"]["usec"] / ROUNDS


async def look(redis: Redis, ledger: Ledger) -> Costs:
    """Measure the scripts that work on one active portal."""
    tokens: list[str] = []

    async def mark(number: int) -> None:
        await ledger.mark([Mark(ACTIVE, f"{number}", (Hint("creation", 1),))])

    async def claim(number: int) -> None:
        await ledger.mark([Mark(ACTIVE, f"{number}", (Hint("creation", 1),))])
        tokens.append((await ledger.claim(ACTIVE, side_by_side=10**6)).token)

    async def settle(number: int) -> None:
        await ledger.settle(ACTIVE, tokens[number], [Done(f"{number}")], Outcome("well", pace_ms=0))

    async def sweep(_: int) -> None:
        await ledger.sweep("bench", QUEUE)

    marking = await script_us(redis, mark)
    await command(redis, "DEL", f"ledger:{ACTIVE}:due")
    claiming = await script_us(redis, claim) - marking
    settling = await script_us(redis, settle)
    return Costs(await script_us(redis, sweep), marking, claiming, settling)


async def measure(crowd: str, make: Make | None, portals: int) -> Row:
    """Return the costs beside a crowd of portals."""
    async with EmbeddedRedis() as server, connect(server.url) as redis:
        ledger = Ledger(redis, "", msgspec.structs.replace(Timing(), quiet_ms=0, pace_ms=0))
        await ledger.beat("bench", 1_000)
        await ledger.connect(ACTIVE)
        if make is not None:
            for portal_id in range(2, portals + 2):
                await make(ledger, portal_id)
        costs = [await look(redis, ledger) for _ in range(REPEATS)]
        return {
            "crowd": crowd,
            "portals": portals if make else 0,
            **{
                f"{name} us": statistics.median(getattr(cost, name) for cost in costs)
                for name in Costs.__struct_fields__
            },
        }


async def main() -> None:
    """Measure beside each crowd."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sweeping")
    parser.add_argument("--portals", type=int, default=10_000)
    given = parser.parse_args()
    rows = [await measure(crowd, make, given.portals) for crowd, make in CROWDS.items()]
    hand_in("sweeping", rows)


if __name__ == "__main__":
    asyncio.run(main())
