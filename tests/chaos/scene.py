"""What a strike has in hand: the deployment, its witnesses, and chance."""

import asyncio
import contextlib
import random
import subprocess
import time
from dataclasses import dataclass, field

import msgspec

from jobs.redis import command
from tests.chaos.canary import Canary
from tests.chaos.deployment import Deployment
from tests.chaos.tail import Tail
from tests.simulator.control import Control
from tests.simulator.switchboard import Fault
from tests.support.program import Program
from tests.support.waiting import until

STOPPED_WITHIN_S = 25.0
STOPPED_SOON_S = 1.0


@dataclass
class Scene:
    """One window's deployment under load."""

    running: Deployment
    canaries: list[Canary]
    tail: Tail
    rng: random.Random
    scale: float
    stack: contextlib.AsyncExitStack
    """Closed when the window ends."""
    manual: list[str] = field(default_factory=list[str])
    """What had to be done by hand."""
    broken: list[str] = field(default_factory=list[str])
    """What a strike found broken that the invariants do not speak of."""
    over_ms: int = 0
    """When the fault was over, in epoch ms; 0 = when the strike returns."""

    @property
    def hubspot(self) -> Control:
        """The stand-in."""
        return self.running.hubspot

    def over(self) -> None:
        """Say that the fault is over now; what the strike does from here on is looking."""
        self.over_ms = time.time_ns() // 1_000_000

    async def scaled(self, seconds: float) -> None:
        """Sleep for a wait of production, scaled as the deployment's own."""
        await asyncio.sleep(seconds * self.scale)

    async def moment(self, least_s: float = 0.2, most_s: float = 0.9) -> None:
        """Wait until a random moment."""
        await asyncio.sleep(self.rng.uniform(least_s, most_s))

    async def kill(self, program: Program, *, away_s: float = 0.3) -> bool:
        """SIGKILL a process, start it again after a while; tell whether it was one that ran."""
        before = program.pid
        await program.kill()
        gone = before is not None and not state_of(before)
        await asyncio.sleep(away_s)
        await program.start()
        return gone and program.pid != before

    async def terminate(self, program: Program, *, away_s: float = 0.3) -> bool:
        """SIGTERM a process, start it again after a while; tell whether it ended with 0."""
        status, _ = await program.terminate(STOPPED_WITHIN_S)
        await asyncio.sleep(away_s)
        await program.start()
        return status == 0

    async def fault(self, fault: Fault, seconds: float) -> int:
        """Let HubSpot fail for so long; return how often the fault struck."""
        fault_id = await self.hubspot.fault(fault)
        await asyncio.sleep(seconds)
        await self.hubspot.clear_faults(fault_id)
        return (await self.hubspot.faults()).struck[fault_id]

    async def errors_told(self, code: str) -> int:
        """Return how often the ledger's Redis has answered with an error of this kind."""
        stats: dict[str, dict[str, int]] = await self.running.redis.info("errorstats")
        return int(stats.get(f"errorstat_{code}", {"count": 0})["count"])

    async def run_id(self) -> str:
        """Return the name that the ledger's Redis gave itself when it started."""
        told: dict[str, str] = await self.running.redis.info("server")
        return told["run_id"]

    async def revive(self) -> None:
        """Start what has ended by itself, which counts as work by hand."""
        for program in self.running.programs:
            if not await program.running():
                said = program.text().splitlines()[-1:]
                self.manual.append(f"{program.name} had ended and was started: {said}")
                await program.start()

    async def set_redis(self, name: str, value: str | int) -> None:
        """Change a setting of the ledger's Redis while it runs."""
        answer = await command(self.running.redis, "CONFIG", "SET", name, value)
        assert msgspec.convert(answer, bytes) == b"OK"


async def is_stopped(pid: int | None) -> bool:
    """Tell whether `ps` shows a process as stopped, which may take it a moment."""

    async def shown() -> bool:
        return pid is not None and state_of(pid).startswith("T")

    with contextlib.suppress(TimeoutError):
        await until(shown, timeout_s=STOPPED_SOON_S)
    return await shown()


def state_of(pid: int) -> str:
    """Return a process' state as `ps` shows it: `T` is stopped, empty is gone."""
    asked = ["ps", "-o", "stat=", "-p", str(pid)]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return "" if told.startswith("Z") else told
