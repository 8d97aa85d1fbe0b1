"""A backfill beside what others would use: the same pages, the same stream, calls per CPU second.

In turn, on the same stand-in and the same Redis. Counted is the CPU time of the reading process and
that of Redis; ours keeps records and digests in that time, the peers keep nothing.
"""

import asyncio
import statistics
from collections.abc import Sequence
from typing import Final

import msgspec
from rich.console import Console

from jobs.backfill.record import UNFINISHED
from jobs.config.settings import DOCUMENTED_PROPERTIES, Settings
from jobs.redis import command
from tests.bench.collecting import NAMESPACE, Rig
from tests.bench.deployment import cpu_s
from tests.bench.sheet import Row
from tests.simulator.process import ROOT

STREAM: Final = f"{NAMESPACE}:peers"
POLL_S: Final = 0.05


class Peer(msgspec.Struct, frozen=True):
    """Something that others would use."""

    name: str
    module: str
    """In `tests.bench.peers`."""


class Used(msgspec.Struct, frozen=True):
    """CPU time for so many calls."""

    calls: int
    client_s: float
    redis_s: float


class _Told(msgspec.Struct, frozen=True):
    """What a peer prints."""

    calls: int
    cpu_s: float


async def compare(
    bench: Rig, rounds: int, python: str | None, peers: Sequence[Peer], console: Console
) -> list[Row]:
    """Run everything in turn, so often, and return a row each."""
    used: dict[str, list[Used]] = {}
    for number in range(rounds):
        console.print(f"side by side, round {number + 1} of {rounds} ...", style="dim")
        await bench.forget_calls()
        used.setdefault("callstream, new calls", []).append(await _ours(bench))
        used.setdefault("callstream, known calls", []).append(await _ours(bench))
        for peer in peers:
            if python is None:
                continue
            found = await _peer(bench, python, peer)
            if found is None:
                console.print(f"{peer.name} is not installed there: left out", style="yellow")
            else:
                used.setdefault(peer.name, []).append(found)
    if python is None:
        console.print("no --peers: only our own backfill was measured", style="yellow")
    ours = {name for name in used if name.startswith("callstream")}
    others = [_rates(runs) for name, runs in used.items() if name not in ours]
    return [_row(name, runs, others if name in ours else []) for name, runs in used.items()]


async def _ours(bench: Rig) -> Used:
    client, redis = cpu_s([bench.worker]), await bench.redis_cpu_s()
    run = await bench.start()
    while run.state in UNFINISHED:
        await asyncio.sleep(POLL_S)
        run = await bench.backfills.find(run.id)
    return Used(run.seen, cpu_s([bench.worker]) - client, await bench.redis_cpu_s() - redis)


async def _peer(bench: Rig, python: str, peer: Peer) -> Used | None:
    """Run a peer; None if it is not installed."""
    redis = await bench.redis_cpu_s()
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
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": ""},
    )
    out, err = await process.communicate()
    if b"ModuleNotFoundError" in err:
        return None
    told = msgspec.json.decode(out, type=_Told)
    used = Used(told.calls, told.cpu_s, await bench.redis_cpu_s() - redis)
    await command(bench.redis, "DEL", STREAM)
    return used


def _rates(runs: Sequence[Used]) -> tuple[float, float]:
    """Return the median of calls per CPU second: of the reader, and of reader and Redis."""
    return (
        statistics.median(run.calls / run.client_s for run in runs),
        statistics.median(run.calls / (run.client_s + run.redis_s) for run in runs),
    )


def _row(name: str, runs: Sequence[Used], others: Sequence[tuple[float, float]]) -> Row:
    reader, both = _rates(runs)
    calls = runs[0].calls
    row: dict[str, str | int | float | None] = {
        "what": name,
        "calls": calls,
        "reader ms/100": 1e5 * statistics.median(run.client_s for run in runs) / calls,
        "redis ms/100": 1e5 * statistics.median(run.redis_s for run in runs) / calls,
        "calls per reader CPU s": round(reader),
        "with redis": round(both),
    }
    if others:
        row["times the fastest peer"] = reader / max(rate for rate, _ in others)
        row["that, with redis"] = both / max(rate for _, rate in others)
    return row
