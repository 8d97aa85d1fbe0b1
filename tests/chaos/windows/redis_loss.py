"""Redis loses data that it had acknowledged."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jobs.redis import command
from service.embedded.server import EmbeddedRedis
from tests.chaos.canary import Canary
from tests.chaos.deployment import Layout
from tests.chaos.scene import Scene
from tests.chaos.window import Proof, Strike, Window

INSIDE_S: Final = 5.0
"""Of production's time, cut off: services remember the marks of the last 10 s."""
SETTLED_S: Final = 30.0
"""Of what was published: the ledger remembers the calls that were settled in the last 60 s."""
BEYOND_S: Final = 40.0
"""More than that."""
HELD_S: Final = 90.0
"""A call that is missing unannounced is held for ten minutes, scaled."""
LIFE_S: Final = 3.0
"""Load before the loss, so that there is something to lose."""
_LOOK_S: Final = 0.01


def _lost(canary: Canary) -> Proof:
    return Proof(count=sum(loss.writes for loss in canary.losses), what="canary's writes gone")


async def _looked(scene: Scene) -> None:
    """The loss has happened: give the canaries time to count once more."""
    scene.over()
    await asyncio.sleep(0.2)
    await scene.moment()


async def _flush(scene: Scene) -> Proof:
    await asyncio.sleep(LIFE_S)
    await command(scene.running.redis, "FLUSHALL")
    await _looked(scene)
    return _lost(scene.canaries[0])


def _files(server: EmbeddedRedis) -> list[Path]:
    """Return the append-only files: a folder since Redis 7, one file before."""
    return [*server.folder.glob("appendonly*"), *server.folder.glob("*.rdb")]


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


async def _empty(server: EmbeddedRedis) -> None:
    """SIGKILL a server and start it again without its files."""
    await asyncio.to_thread(server.kill)
    for path in _files(server):
        await asyncio.to_thread(_remove, path)
    await asyncio.to_thread(server.start)


async def _restart_empty(scene: Scene) -> Proof:
    await asyncio.sleep(LIFE_S)
    await _empty(scene.running.server)
    await _looked(scene)
    return _lost(scene.canaries[0])


async def _lose_streams(scene: Scene) -> Proof:
    await asyncio.sleep(LIFE_S)
    assert scene.running.streams_server is not None
    await _empty(scene.running.streams_server)
    await _looked(scene)
    return _lost(scene.canaries[1])


def _growing(server: EmbeddedRedis) -> Iterator[Path]:
    yield from server.folder.glob("appendonlydir/*.incr.aof")
    yield from server.folder.glob("appendonly.aof")


def _truncate(seconds: float) -> Strike:
    """SIGKILL Redis, cut from its file what was written in the last seconds, and start it again.

    That of the streams, where there are two.
    """

    async def strike(scene: Scene) -> Proof:
        server = scene.running.streams_server or scene.running.server
        (file,) = [path for path in _growing(server) if path.is_file()]
        lost_s = seconds * scene.scale
        loop = asyncio.get_running_loop()
        until = loop.time() + LIFE_S + lost_s
        sizes: list[tuple[float, int]] = []
        while loop.time() < until:
            sizes.append((loop.time(), file.stat().st_size))
            await asyncio.sleep(_LOOK_S)
        await asyncio.to_thread(server.kill)
        ended = loop.time()
        size = max(size for at, size in sizes if at <= ended - lost_s)
        with file.open("r+b") as opened:
            opened.truncate(size)
        await asyncio.to_thread(server.start)
        await _looked(scene)
        return _lost(scene.canaries[-1])

    return strike


WINDOWS: Final = (
    Window(
        name="redis-truncated",
        fault=f"the last {INSIDE_S:.0f} s cut off the append-only file: inside what is remembered",
        settled_within_s=HELD_S,
        strike=_truncate(INSIDE_S),
        promise="exact",
    ),
    Window(
        name="redis-truncated-far",
        fault=f"the last {BEYOND_S:.0f} s cut off the append-only file: more than is remembered",
        settled_within_s=HELD_S,
        strike=_truncate(BEYOND_S),
    ),
    Window(
        name="streams-truncated",
        fault=f"the last {SETTLED_S:.0f} s cut off the file of the Redis of streams and records",
        settled_within_s=HELD_S,
        strike=_truncate(SETTLED_S),
        promise="exact",
        layout=Layout(split=True),
    ),
    Window(name="redis-flushall", fault="FLUSHALL", strike=_flush),
    Window(
        name="redis-empty",
        fault="Redis killed and started again without its data",
        strike=_restart_empty,
    ),
    Window(
        name="streams-lost",
        fault="the Redis of streams and records alone killed and started without its data",
        strike=_lose_streams,
        layout=Layout(split=True),
    ),
)
