"""Whether slow senders keep honest ones waiting: `python -m tests.bench.slow_senders`.

A thousand connections send requests to a served process at one byte a second, half of them in the
head, half in the body, and come anew when they are cut off. Meanwhile deliveries as HubSpot signs
them arrive, each on a connection of its own and at its own time, however long the one before takes.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Final

import aiohttp
import msgspec

from service.embedded.server import EmbeddedRedis
from tests.bench.sheet import Row, hand_in, percentile
from tests.support.served import BIN, WEBHOOK, Served, ask, notification, served, signed

SERVICE: Final = (str(BIN / "callstream"), "service")
BOUND_MS: Final = 250.0
"""What 99 of 100 honest deliveries must not exceed."""
_HEAD: Final = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\n".encode()
_SETTLING_S: Final = 5.0
"""So that all the slow ones have come."""


class Told(msgspec.Struct):
    """What the slow senders saw."""

    connections: int
    """That were open at once, on an average."""
    cut: int
    bytes: int


async def drip(port: int, head_only: bool, told: Counter[str]) -> None:  # noqa: FBT001 - a coin toss
    """Send a request one byte a second, and again once it is cut off."""
    slowly = b"X-Slow: " + b"x" * 10_000 if head_only else b"[" + b" " * 10_000
    at_once = _HEAD if head_only else _HEAD + b"Content-Length: 10001\r\n\r\n"
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            told["open"] += 1
            try:
                writer.write(at_once)
                for byte in slowly:
                    await asyncio.sleep(1)
                    if reader.at_eof() or writer.is_closing():
                        break
                    writer.write(bytes([byte]))
                    told["bytes"] += 1
            finally:
                told["open"] -= 1
                told["cut"] += 1
                writer.close()
        await asyncio.sleep(0.1)


async def drip_all(port: int, connections: int, seconds: float) -> Told:
    """Keep so many slow senders going for so long."""
    told: Counter[str] = Counter()
    tasks: list[asyncio.Task[None]] = []
    for number in range(connections):
        tasks.append(asyncio.create_task(drip(port, number % 2 == 0, told)))
        await asyncio.sleep(1 / connections)
    looks: list[int] = []
    for _ in range(int(seconds)):
        await asyncio.sleep(1)
        looks.append(told["open"])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return Told(sum(looks) // len(looks), told["cut"], told["bytes"])


@contextlib.asynccontextmanager
async def dripping(
    port: int, connections: int, seconds: float
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run the slow senders in a process of their own."""
    command = ["-m", "tests.bench.slow_senders", "--drip", str(port)]
    more = [f"--connections={connections}", f"--seconds={seconds}"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, *more, stdout=asyncio.subprocess.PIPE
    )
    try:
        await asyncio.sleep(_SETTLING_S)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def honest(port: int, rate: float, seconds: float, seed: int) -> tuple[list[float], int]:
    """Deliver at random moments; return what each took in ms, and how many were not taken."""
    rng = random.Random(seed)
    took: list[float] = []
    failed = 0

    async def deliver(number: int) -> None:
        nonlocal failed
        body = json.dumps([notification(10 * number + n) for n in range(1, 11)]).encode()
        began = time.monotonic()
        try:
            status = (await ask(port, "POST", WEBHOOK, body, signed(body))).status
        except (aiohttp.ClientError, OSError, TimeoutError):
            status = 0
        took.append((time.monotonic() - began) * 1000)
        failed += status != 204

    deliveries: list[asyncio.Task[None]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        deliveries.append(asyncio.create_task(deliver(len(deliveries))))
        await asyncio.sleep(rng.expovariate(rate))
    await asyncio.gather(*deliveries)
    return took, failed


async def measure(service: Served, given: argparse.Namespace, seed: int) -> Row:
    """Deliver without slow senders, then with them."""
    alone, lost_alone = await honest(service.port, given.rate, given.seconds, seed)
    lasting = given.seconds + 2 * _SETTLING_S
    async with dripping(service.port, given.connections, lasting) as senders:
        beside, lost = await honest(service.port, given.rate, given.seconds, seed)
        out, _ = await senders.communicate()
    told = msgspec.json.decode(out, type=Told)
    return {
        "slow senders": told.connections,
        "cut off": told.cut,
        "deliveries": len(beside),
        "not taken": lost + lost_alone,
        "p50 ms alone": percentile(alone, 0.5),
        "p99 ms alone": percentile(alone, 0.99),
        "p50 ms": percentile(beside, 0.5),
        "p99 ms": percentile(beside, 0.99),
        "max ms": max(beside),
        "bound ms": BOUND_MS,
    }


async def main() -> int:
    """Measure, or be the slow senders of a measurement."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.slow_senders")
    parser.add_argument("--connections", type=int, default=1_000, help="slow ones (1,000)")
    parser.add_argument("--rate", type=float, default=40.0, help="honest deliveries a second (40)")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each half of a run (15)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--drip", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.drip:
        told = await drip_all(given.drip, given.connections, given.seconds)
        sys.stdout.buffer.write(msgspec.json.encode(told))
        return 0
    with EmbeddedRedis() as redis, served(redis.url, command=SERVICE) as service:
        rows = [await measure(service, given, seed) for seed in range(1, given.runs + 1)]
    hand_in("slow_senders", rows)
    return 0 if all(float(str(row["p99 ms"])) <= BOUND_MS for row in rows) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
