"""How much the stand-in bears: `python -m tests.bench.simulator` prints the figures as JSON.

It must not be the bottleneck of what it measures: 2,000 notifications and 500 batch reads a second
from one core. The simulator runs as a process of its own; its CPU time is read before and after,
so the figures are per core of its own however busy the machine is.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec
from aiohttp import web

from tests.simulator.control import Control
from tests.simulator.messages import Create
from tests.simulator.model.subscriptions import SUBSCRIBED
from tests.simulator.process import Running, simulator_process

PROPERTIES = [*SUBSCRIBED]
CALLS = 20_000
SECONDS = 3.0
SIDE_BY_SIDE = 4


class Figure(msgspec.Struct, frozen=True):
    """One measurement."""

    name: str
    per_second: float
    """As it went, client and receiver on the same machine."""
    per_core_second: float
    """Per second of the simulator's own CPU time."""
    cpu_share: float
    """How busy its one process was."""


async def measure(name: str, control: Control, work: Callable[[], Awaitable[int]]) -> Figure:
    """Return how often something was done, by the clock and by the simulator's CPU time."""
    before, began = (await control.usage()).cpu_s, time.perf_counter()
    count = await work()
    took, used = time.perf_counter() - began, (await control.usage()).cpu_s - before
    return Figure(name, round(count / took, 1), round(count / used, 1), round(used / took, 2))


async def repeat(work: Callable[[int], Awaitable[None]]) -> int:
    """Do something side by side for a while, and return how often."""
    end = time.perf_counter() + SECONDS
    done = 0

    async def one(worker: int) -> None:
        nonlocal done
        place = worker
        while time.perf_counter() < end:
            await work(place)
            place += SIDE_BY_SIDE
            done += 1

    await asyncio.gather(*(one(worker) for worker in range(SIDE_BY_SIDE)))
    return done


async def reads(running: Running, control: Control) -> list[Figure]:
    """Measure batch reads of calls and of associations, a hundred ids each."""
    ids = [*await control.truth(running.portal_id)]
    batches = [
        [{"id": call_id} for call_id in ids[start : start + 100]]
        for start in range(0, CALLS - 100, 100)
    ]
    headers = {"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(running.url, headers=headers) as session:

        def reader(path: str, body: dict[str, object]) -> Callable[[int], Awaitable[None]]:
            bodies = [msgspec.json.encode({"inputs": batch, **body}) for batch in batches]

            async def read(place: int) -> None:
                async with session.post(path, data=bodies[place % len(bodies)]) as answer:
                    content = await answer.read()
                    if answer.status not in (200, 207):
                        raise RuntimeError(content[:200])

            return read

        calls = reader("/crm/objects/2026-03/calls/batch/read", {"properties": PROPERTIES})
        links = reader("/crm/associations/2026-03/calls/contacts/batch/read", {})
        return [
            await measure("batch reads of 100 calls", control, lambda: repeat(calls)),
            await measure("batch reads of 100 associations", control, lambda: repeat(links)),
        ]


async def notifications(control: Control) -> Figure:
    """Measure deliveries of 20 properties per new call, from change to answer."""
    values = dict.fromkeys(PROPERTIES, "1")
    deeds = [Create(properties=values) for _ in range(500)]

    async def work() -> int:
        await control.do(*deeds)
        await control.quiet()
        return len(deeds) * (len(PROPERTIES) + 1)

    return await measure("notifications", control, work)


async def main() -> list[Figure]:
    """Run everything against one simulator."""

    async def accept(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(status=204)

    receiver = web.Server(accept)
    serving = await asyncio.get_running_loop().create_server(receiver, "127.0.0.1", 0)
    port = serving.sockets[0].getsockname()[1]
    options = (
        f"--webhook-url=http://127.0.0.1:{port}/",
        f"--calls={CALLS}",
        "--knob=rate_limit=10000000",
        "--knob=daily_limit=10000000",
        "--knob=spread_ms=200",
    )
    try:
        async with simulator_process(*options) as running, Control(running.url) as control:
            return [await notifications(control), *await reads(running, control)]
    finally:
        serving.close()
        await receiver.shutdown()


if __name__ == "__main__":
    figures = asyncio.run(main())
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n")
