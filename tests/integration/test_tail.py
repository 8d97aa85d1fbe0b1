"""`callstream tail` runs against a real Redis and ends as it should."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.support.streams import add, announce

pytestmark = pytest.mark.one_redis

MISSING = "callstream: REDIS_URL: is required by callstream consumer\n"
AWAY = "callstream: the streams' Redis at redis://127.0.0.1:1/0 does not answer (ConnectionError)\n"
WRONG_SINCE = (
    "callstream: Invalid value for --since: neither an age such as 15m nor a time such as "
    "2024-01-15T11:00:00Z\n"
)


async def start(folder: Path, environ: Mapping[str, str], *arguments: str) -> Process:
    """Start the command in a folder without settings of its own."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service.cli",
        "tail",
        *arguments,
        cwd=folder,
        env={**inherited, **environ},
        stdout=PIPE,
        stderr=PIPE,
    )


async def ended(process: Process) -> tuple[int | None, str, str]:
    """Return the exit status and what was printed."""
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_json(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """The wanted events are printed as JSON until there were enough."""
    await announce(redis, 2)
    for call_id, version, partition in (("1", 1, 0), ("2", 1, 1), ("2", 2, 1), ("2", 3, 1)):
        await add(redis, call_id, version, partition)
    arguments = ("--since", "0", "--call", "2", "--json", "-n", "2")
    status, out, err = await ended(
        await start(tmp_path, {"STREAMS_REDIS_URL": redis_url}, *arguments)
    )
    assert (status, err) == (0, "")
    shown = [json.loads(line) for line in out.splitlines()]
    assert [one["id"] for one in shown] == ["62515:2:1", "62515:2:2"]


async def test_lines(redis: Redis, redis_url: str, namespace: str, tmp_path: Path) -> None:
    """Events of the namespace are printed as they land; SIGTERM ends it in good order."""
    environ = {"REDIS_URL": redis_url, "NAMESPACE": namespace}
    process = await start(tmp_path, environ, "--since", "1h")
    assert process.stdout is not None
    await announce(redis, 1, namespace)
    await add(redis, "512", 7, 0, namespace)
    async with asyncio.timeout(30):
        line = (await process.stdout.readline()).decode()
    assert "updated   62515:512  version 7  outbound completed 1:30" in line
    process.send_signal(signal.SIGTERM)
    status, out, err = await ended(process)
    assert (status, out) == (0, "")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("environ", "arguments", "status", "said"),
    [
        ({}, (), 2, MISSING),
        ({"REDIS_URL": "redis://user:secret@127.0.0.1:1/0"}, (), 1, AWAY),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, ("--since", "soon"), 2, WRONG_SINCE),
    ],
)
async def test_errors(
    environ: dict[str, str], arguments: tuple[str, ...], status: int, said: str, tmp_path: Path
) -> None:
    """An error is one clear line, without secrets, and a status that tells usage from failure."""
    assert await ended(await start(tmp_path, environ, *arguments)) == (status, "", said)
