"""`make run` and `callstream run` as processes: events land, and nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.addresses import free_port
from tests.simulator.process import Running
from tests.support.commands import CALLSTREAM, COMPLETE, started
from tests.support.processes import alive, children_of, eventually

pytestmark = pytest.mark.one_redis

EVENT = re.compile(r"^\S+Z  (created|updated|deleted|snapshot|restored) +\d+:\d+  ")
REDIS = re.compile(r"^Redis: embedded, (?:Redis|Valkey) .+ (redis://127\.0\.0\.1:\d+/0)$")


def read_until(process: subprocess.Popen[str], pattern: re.Pattern[str]) -> list[str]:
    """Return the lines that a process prints up to the first that matches; fails if none does."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if pattern.search(line):
            return lines
    pytest.fail("no such line in:\n" + "\n".join(lines))


@contextmanager
def demonstration(folder: Path) -> Generator[subprocess.Popen[str]]:
    """What `make run` runs."""
    with started([sys.executable, "-m", "tests.demo"], folder) as process:
        yield process


def offspring(pid: int) -> set[int]:
    """Return the processes that descend from one."""
    found = set(children_of(pid))
    return found.union(*(offspring(child) for child in found)) if found else found


def test_make_run_shows_events(tmp_path: Path) -> None:
    """Without any setting events of the stand-in's calls land, and SIGTERM ends all with 0."""
    with demonstration(tmp_path) as process:
        lines = read_until(process, EVENT)
        assert any(REDIS.match(line) for line in lines)
        assert any(line.startswith("HubSpot: account 62515, simulated http://") for line in lines)
        assert "  hs_" in lines[-1] or "Change" in lines[-1]
        family = offspring(process.pid)
        assert len(family) >= 8, "keepers and children of stand-in, Redis, service and worker"
        process.terminate()
        assert process.wait(30) == 0
    assert eventually(lambda: not any(map(alive, family)))


def test_a_killed_make_run_leaves_nothing(tmp_path: Path) -> None:
    """When `make run` is killed its stand-in, Redis, service and worker end as well."""
    with demonstration(tmp_path) as process:
        read_until(process, EVENT)
        family = offspring(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        assert eventually(lambda: not any(map(alive, family)), within_s=30)


def test_a_child_that_ends_ends_the_run(tmp_path: Path) -> None:
    """When the worker is killed, `callstream run` stops the rest and says so, status 1."""
    with demonstration(tmp_path) as process:
        read_until(process, EVENT)
        family = offspring(process.pid)
        (worker,) = [pid for pid in family if command_of(pid).endswith("service.cli worker")]
        os.kill(worker, signal.SIGKILL)
        read_until(process, re.compile(r"^callstream: the worker ended with status -9$"))
        assert process.wait(30) == 1
    assert eventually(lambda: not any(map(alive, family)))


def command_of(pid: int) -> str:
    """Return a process' command line; a keeper's is not that of what it keeps."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    line = listed.stdout.strip()
    return "" if "keeper.py" in line else line


def test_a_real_account_is_told_what_to_register(tmp_path: Path, simulator: Running) -> None:
    """With an account in `.env` the URL and the subscriptions are told, and no stand-in starts."""
    port = free_port()
    settings = COMPLETE | {"HUBSPOT_API_URL": simulator.url, "WORKER_PORT": "0"}
    (tmp_path / ".env").write_text("".join(f"{k}='{v}'\n" for k, v in settings.items()))
    command = [sys.executable, "-m", "tests.demo", "--port", str(port)]
    with started(command, tmp_path) as process:
        lines = read_until(process, re.compile(r"^Stream: "))
        assert f"  target URL     {COMPLETE['PUBLIC_URL']}/webhooks/hubspot" in lines
        assert "  subscription   object.propertyChange of hs_call_title" in lines
        assert f"HubSpot: account 62515 {simulator.url}" in lines
        assert not any("tests.simulator" in command_of(pid) for pid in offspring(process.pid))
        process.terminate()
        assert process.wait(30) == 0


def test_a_given_redis_is_used(tmp_path: Path, redis_url: str, simulator: Running) -> None:
    """With REDIS_URL no server is embedded, and the given one is named without its password."""
    command = [*CALLSTREAM, "run", "--port", str(free_port())]
    settings = COMPLETE | {"REDIS_URL": redis_url, "HUBSPOT_API_URL": simulator.url}
    with started(command, tmp_path, **settings) as process:
        lines = read_until(process, re.compile(r"^Stream: "))
        assert f"Redis: given {redis_url.partition('?')[0]}" in lines
        assert not any("redis-server" in command_of(pid) for pid in offspring(process.pid))
        process.terminate()
        assert process.wait(30) == 0
