"""Our processes end at random moments, in good order or not, or stand still past their leases."""

from collections.abc import Callable, Sequence
from typing import Final

from tests.chaos.deployment import Layout
from tests.chaos.scene import Scene, is_stopped
from tests.chaos.window import Proof, Strike, Window
from tests.support.program import Program

TIMES: Final = 4
SLOW: Final = Layout(knobs={"latency_ms": 120})
"""HubSpot takes its time, so that there is work in hand when a process ends."""
FROZEN_S: Final = 25.0
"""Two and a half leases, before scaling."""

Which = Callable[[Scene], Sequence[Program]]


def _workers(scene: Scene) -> Sequence[Program]:
    return scene.running.workers


def _services(scene: Scene) -> Sequence[Program]:
    return scene.running.services


def _kill(which: Which) -> Strike:
    """SIGKILL random ones at random moments; each is started again."""

    async def strike(scene: Scene) -> Proof:
        killed = 0
        for _ in range(TIMES):
            await scene.running.ready()
            await scene.moment()
            killed += await scene.kill(scene.rng.choice(which(scene)))
        return Proof(count=killed, what="processes gone, and back under another pid", needed=TIMES)

    return strike


def _terminate(which: Which) -> Strike:
    """SIGTERM random ones at random moments; each is started again."""

    async def strike(scene: Scene) -> Proof:
        ended = 0
        for _ in range(TIMES):
            await scene.running.ready()
            await scene.moment()
            ended += await scene.terminate(scene.rng.choice(which(scene)))
        return Proof(count=ended, what="processes ended with status 0", needed=TIMES)

    return strike


async def _freeze(scene: Scene) -> Proof:
    """SIGSTOP each worker in turn for longer than its leases last, then SIGCONT."""
    frozen = 0
    for worker in scene.rng.sample(scene.running.workers, k=len(scene.running.workers)):
        await scene.moment()
        await worker.pause()
        frozen += await is_stopped(worker.pid)
        await scene.scaled(FROZEN_S)
        await worker.resume()
    return Proof(count=frozen, what="workers seen stopped by ps", needed=3)


WINDOWS: Final = (
    Window(
        name="worker-sigkill",
        fault=f"SIGKILL of a worker, {TIMES} times at random moments",
        strike=_kill(_workers),
        layout=SLOW,
    ),
    Window(
        name="worker-sigterm",
        fault=f"SIGTERM of a worker, {TIMES} times at random moments",
        strike=_terminate(_workers),
        layout=SLOW,
    ),
    Window(
        name="worker-sigstop",
        fault=f"each worker stopped for {FROZEN_S:.0f} s, past its leases, then continued",
        strike=_freeze,
        layout=SLOW,
    ),
    Window(
        name="service-sigkill",
        fault=f"SIGKILL of a service with its child, {TIMES} times at random moments",
        strike=_kill(_services),
    ),
    Window(
        name="service-sigterm",
        fault=f"SIGTERM of a service, {TIMES} times at random moments",
        strike=_terminate(_services),
    ),
)
