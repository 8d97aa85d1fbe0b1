"""A backfill beside what others would use: the same pages, the same stream, calls per CPU second.

In turn, on the same stand-in and the same Redis, so that whatever else the machine does falls on
all of them. Counted is the CPU time of the reading process, and beside it that of Redis and of the
stand-in. Ours keeps records and digests in that time, the peers keep nothing.
"""

import asyncio
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from jobs.backfill.record import UNFINISHED
from jobs.config.settings import DOCUMENTED_PROPERTIES, Settings
from jobs.redis import command
from tests.bench.collecting import NAMESPACE, Rig
from tests.bench.deployment import cpu_s
from tests.bench.peers.environments import Peer, python_of
from tests.bench.sheet import Row
from tests.simulator.process import ROOT

STREAM: Final = f"{NAMESPACE}:peers"
POLL_S: Final = 0.25
NEW: Final = "callstream, new calls"
KNOWN: Final = "callstream, known calls"


class Used(msgspec.Struct, frozen=True):
    """CPU time for so many calls."""

    calls: int
    reader_s: float
    redis_s: float
    stand_in_s: float
    wall_s: float

    @property
    def rate(self) -> float:
        """Calls per CPU second of the reading process."""
        return self.calls / self.reader_s

    @property
    def rate_with_redis(self) -> float:
        """Calls per CPU second of the reading process and Redis together."""
        return self.calls / (self.reader_s + self.redis_s)


class _Told(msgspec.Struct, frozen=True):
    """What a peer prints."""

    calls: int
    cpu_s: float
    versions: str


class _Meter:
    """What Redis and the stand-in use up from now on."""

    def __init__(self, bench: Rig) -> None:
        self._bench = bench
        self._redis_s = 0.0
        self._stand_in_s = 0.0
        self._began = 0.0

    async def begin(self) -> None:
        self._redis_s = await self._bench.redis_cpu_s()
        self._stand_in_s = cpu_s([self._bench.stand_in])
        self._began = time.monotonic()

    async def used(self, calls: int, reader_s: float, wall_s: float | None = None) -> Used:
        return Used(
            calls,
            reader_s,
            await self._bench.redis_cpu_s() - self._redis_s,
            cpu_s([self._bench.stand_in]) - self._stand_in_s,
            time.monotonic() - self._began if wall_s is None else wall_s,
        )


async def compare(bench: Rig, rounds: int, peers: Iterable[Peer], console: Console) -> list[Row]:
    """Run everything in turn, so often, and return a row each."""
    ready = {peer: python for peer in peers if (python := await python_of(peer)) is not None}
    used: dict[str, list[Used]] = {NEW: [], KNOWN: [], **{peer.name: [] for peer in ready}}
    for number in range(rounds):
        console.print(f"side by side, round {number + 1} of {rounds} ...", style="dim")
        await bench.forget_calls()
        for name in (NEW, KNOWN):
            used[name].append(await _ours(bench))
        for peer, python in ready.items():
            used[peer.name].append(await _peer(bench, python, peer, console))
    names = ", ".join(peer.name for peer in ready) or "none"
    console.print(f"peers that could be installed: {names}", style="dim")
    return rows_of(used)


async def _ours(bench: Rig) -> Used:
    meter, reader_s = _Meter(bench), cpu_s([bench.worker])
    await meter.begin()
    run = await bench.start()
    while run.state in UNFINISHED:
        await asyncio.sleep(POLL_S)
        run = await bench.backfills.find(run.id)
    assert run.published + run.unchanged == run.seen > 0
    took_s = (run.ended_at - run.started_at) / 1000
    return await meter.used(run.seen, cpu_s([bench.worker]) - reader_s, took_s)


async def _peer(bench: Rig, python: Path, peer: Peer, console: Console) -> Used:
    """Run a peer, and see that its calls are on the stream."""
    meter = _Meter(bench)
    await meter.begin()
    process = await asyncio.create_subprocess_exec(
        python,
        "-m",
        f"tests.bench.peers.{peer.module}",
        bench.hubspot.running.url,
        bench.hubspot.running.token,
        bench.server.url,
        STREAM,
        ",".join(DOCUMENTED_PROPERTIES),
        ",".join(Settings().call_associations),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": ""},
    )
    out, _ = await process.communicate()
    told = msgspec.json.decode(out, type=_Told)
    used = await meter.used(told.calls, told.cpu_s)
    assert await command(bench.redis, "XLEN", STREAM) == told.calls > 0
    await command(bench.redis, "DEL", STREAM)
    console.print(told.versions, style="dim")
    return used


def rows_of(used: Mapping[str, Sequence[Used]]) -> list[Row]:
    """Return a row for each contender; ours with how it stands to the fastest peer, round by round.

    Args:
        used: by contender, one for each round.
    """
    peers = {name: runs for name, runs in used.items() if name not in {NEW, KNOWN}}
    rows: list[Row] = []
    for name, runs in used.items():
        calls = runs[0].calls
        row: dict[str, str | int | float | None] = {
            "what": name,
            "reader ms/100": _middle(1e5 * run.reader_s / calls for run in runs),
            "redis ms/100": _middle(1e5 * run.redis_s / calls for run in runs),
            "stand-in ms/100": _middle(1e5 * run.stand_in_s / calls for run in runs),
            "ms/100": _middle(1e5 * run.wall_s / calls for run in runs),
            "calls/CPU s": round(statistics.median(run.rate for run in runs)),
        }
        if name not in peers and peers:
            row["times the fastest peer"] = _times([run.rate for run in runs], _rates(peers))
            both = [run.rate_with_redis for run in runs]
            row["Redis counted too"] = _times(both, _rates(peers, with_redis=True))
        rows.append(row)
    return rows


def _rates(peers: Mapping[str, Sequence[Used]], *, with_redis: bool = False) -> list[list[float]]:
    """Return the rates of the peers, a list for each round."""
    each = [
        [run.rate_with_redis if with_redis else run.rate for run in runs] for runs in peers.values()
    ]
    return [list(together) for together in zip(*each, strict=True)]


def _times(ours: Sequence[float], peers: Sequence[Sequence[float]]) -> str:
    """Return the median of the rounds' ratios to the fastest peer, and their spread."""
    ratios = [rate / max(others) for rate, others in zip(ours, peers, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _middle(values: Iterable[float]) -> str:
    """Return the median and the spread."""
    found = sorted(values)
    return f"{statistics.median(found):.2f} ({found[0]:.2f}-{found[-1]:.2f})"
