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

import msgspec

from service.embedded.server import EmbeddedRedis
from tests.bench.sheet import Row, hand_in, percentile
from tests.support.commands import CALLSTREAM
from tests.support.served import WEBHOOK, Served, notification, served, signed

SERVICE: Final = (*CALLSTREAM, "service")
BOUND_MS: Final = 250.0
"""What 99 of 100 honest deliveries must not exceed."""
_HEAD: Final = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\n".encode()
MOST_LATE_MS: Final = 25.0
"""A generator that sends later than this measures itself: the run is discarded."""
_GIVE_UP_S: Final = 20.0
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


class Honest(msgspec.Struct):
    """What honest deliveries met."""

    took_ms: list[float] = []
    late_ms: list[float] = []
    """How long after its time each was sent: the generator's own fault."""
    failed: int = 0

    @property
    def kept_pace(self) -> bool:
        """Whether the generator itself was no part of what was measured."""
        return percentile(self.late_ms, 0.99) <= MOST_LATE_MS


async def deliver(port: int, number: int) -> bool:
    """Deliver ten notifications on a connection of their own; return whether they were taken."""
    body = json.dumps([notification(10 * number + n) for n in range(1, 11)]).encode()
    fields = "".join(f"{name}: {value}\r\n" for name, value in signed(body).items())
    length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_HEAD + fields.encode() + length.encode() + body)
        return (await reader.readline()).startswith(b"HTTP/1.1 204")
    finally:
        writer.close()


async def honest(port: int, rate: float, seconds: float, seed: int) -> Honest:
    """Deliver at random moments that are set beforehand, however long the others take."""
    rng = random.Random(seed)
    met = Honest()
    begin = time.monotonic()

    async def one(number: int, at: float) -> None:
        await asyncio.sleep(begin + at - time.monotonic())
        began = time.monotonic()
        met.late_ms.append((began - begin - at) * 1000)
        try:
            async with asyncio.timeout(_GIVE_UP_S):
                met.failed += not await deliver(port, number)
        except (OSError, TimeoutError):
            met.failed += 1
        met.took_ms.append((time.monotonic() - began) * 1000)

    moments = sorted(rng.uniform(0, seconds) for _ in range(int(rate * seconds)))
    await asyncio.gather(*(one(number, at) for number, at in enumerate(moments)))
    return met


async def measure(service: Served, given: argparse.Namespace, seed: int) -> Row:
    """Deliver without slow senders, then with them."""
    alone = await honest(service.port, given.rate, given.seconds, seed)
    lasting = given.seconds + 2 * _SETTLING_S
    async with dripping(service.port, given.connections, lasting) as senders:
        beside = await honest(service.port, given.rate, given.seconds, seed)
        out, _ = await senders.communicate()
    told = msgspec.json.decode(out, type=Told)
    return {
        "verdict": "VALID" if alone.kept_pace and beside.kept_pace else "DISCARDED",
        "slow senders": told.connections,
        "cut off": told.cut,
        "deliveries": len(beside.took_ms),
        "not taken": alone.failed + beside.failed,
        "p50 ms alone": percentile(alone.took_ms, 0.5),
        "p99 ms alone": percentile(alone.took_ms, 0.99),
        "p50 ms": percentile(beside.took_ms, 0.5),
        "p99 ms": percentile(beside.took_ms, 0.99),
        "max ms": max(beside.took_ms),
        "sent late ms, p99": percentile(beside.late_ms, 0.99),
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
    valid = [row for row in rows if row["verdict"] == "VALID"]
    return 0 if valid and all(float(str(row["p99 ms"])) <= BOUND_MS for row in valid) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
