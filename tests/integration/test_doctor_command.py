"""`callstream doctor`, run as an operator does."""

from pathlib import Path

import msgspec
import pytest

from service.addresses import free_port
from service.doctor.findings import Report
from tests.simulator.process import Running
from tests.support.commands import CALLSTREAM, run_command
from tests.support.redis import MakeRedis
from tests.support.served import SECRET, served

pytestmark = pytest.mark.one_redis

COMMAND = (*CALLSTREAM, "doctor")
GROUPS = {"settings", "redis", "hubspot", "clocks", "public url", "subscriptions"}


def test_a_deployment_that_works(make_redis: MakeRedis, simulator: Running, tmp_path: Path) -> None:
    """Where all is in order it ends with 0, as a table and as JSON."""
    redis, port = make_redis(aof=True), free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "REDIS_URL": redis.url,
        "NAMESPACE": "tenant-1",
        "PUBLIC_URL": url,
        "HUBSPOT_CLIENT_SECRET": SECRET,
        "HUBSPOT_ACCESS_TOKEN": simulator.token,
        "HUBSPOT_API_URL": simulator.url,
    }
    with served(redis.url, port, PUBLIC_URL=url):
        shown = run_command(COMMAND, tmp_path, **settings)
        told = run_command([*COMMAND, "--json"], tmp_path, **settings)
    report = msgspec.json.decode(told.stdout, type=Report)
    assert (shown.returncode, told.returncode) == (0, 0), shown.stdout
    assert (shown.stderr, told.stderr) == ("", "")
    assert report.problems == 0
    assert {finding.group for finding in report.findings} == GROUPS
    assert all(finding.said in shown.stdout for finding in report.findings[:3])
    assert "no problems and " in shown.stdout
    assert simulator.token not in shown.stdout + told.stdout
    assert SECRET not in shown.stdout + told.stdout


def test_a_deployment_that_does_not(tmp_path: Path) -> None:
    """Where nothing works everything is told, one line each, and it ends with 1."""
    settings = {
        "REDIS_URL": "redis://127.0.0.1:1",
        "PUBLIC_URL": "http://127.0.0.1:1",
        "HUBSPOT_CLIENT_SECRET": SECRET,
        "HUBSPOT_ACCESS_TOKEN": "t0ken",
        "HUBSPOT_API_URL": "http://127.0.0.1:1",
        "MAX_BODY": "much",
    }
    result = run_command([*COMMAND, "--json"], tmp_path, **settings)
    report = msgspec.json.decode(result.stdout, type=Report)
    problems = {(f.group, f.check) for f in report.findings if f.level == "problem"}
    assert result.returncode == 1
    assert problems == {
        ("settings", "MAX_BODY"),
        ("redis", "reachable"),
        ("hubspot", "token"),
        ("public url", "signature"),
    }
    assert {finding.group for finding in report.findings} == GROUPS
    assert result.stderr == ""


def test_without_any_settings(tmp_path: Path) -> None:
    """Before anything is set it says what to set."""
    result = run_command(COMMAND, tmp_path, HUBSPOT_API_URL="http://127.0.0.1:1")
    assert result.returncode == 1
    assert "set HUBSPOT_ACCESS_TOKEN" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_wrong_usage(tmp_path: Path) -> None:
    """A wrong option is wrong usage."""
    assert run_command([*COMMAND, "--portal", "x"], tmp_path).returncode == 2
