"""The doctor's judgement of settings, its guard around checks, and how findings are shown."""

import asyncio
import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from jobs.hubspot.errors import PortalFailure, RecordRefused
from service.cli.doctor import summary, table
from service.doctor import findings
from service.doctor.findings import Finding, Notes, guarded, report_of
from service.doctor.settings import judge_settings, misspelt, usable
from service.doctor.telling import TODO, some, told
from tests.support.checkup import levels, short
from tests.support.commands import COMPLETE

WHOLE = {**COMPLETE, "REDIS_URL": "redis://127.0.0.1"}


def test_complete_settings() -> None:
    """Settings with which service and worker start are well."""
    assert short(judge_settings(WHOLE)) == {"all": ("ok", "complete for service and worker")}


def test_every_problem_is_told_once() -> None:
    """What service and worker would say is told, each thing once, without wrong secrets."""
    found = short(judge_settings({"REDIS_URL": "mailto:s3cret", "MAX_BODY": "much"}))
    assert found["MAX_BODY"][0] == "problem"
    assert found["REDIS_URL"][0] == "problem"
    assert found["PUBLIC_URL"] == ("problem", "is required by callstream service")
    assert found["HUBSPOT_ACCESS_TOKEN"][0] == "problem"
    assert "s3cret" not in str(found)


def test_what_is_wrong_does_not_stop_the_rest() -> None:
    """Wrong settings count as absent, and the others are examined."""
    settings = usable({**WHOLE, "MAX_BODY": "much", "HUBSPOT_PORTAL_ID": "seven"})
    assert settings.hubspot_portal_id is None
    assert settings.redis_url == "redis://127.0.0.1"


def test_without_redis_it_is_callstream_run() -> None:
    """Without REDIS_URL the data end with the command, which is a warning."""
    assert levels(judge_settings(COMPLETE)) == {"all": "ok", "REDIS_URL": "warning"}


def test_weak_signatures() -> None:
    """Signatures that can be replayed are a warning."""
    found = short(judge_settings({**WHOLE, "SIGNATURE_VERSIONS": "v3,v2,v1"}))
    assert found["SIGNATURE_VERSIONS"][0] == "warning"
    assert found["SIGNATURE_VERSIONS"][1].startswith("v1 and v2")


def test_misspelt_names() -> None:
    """A name that looks like a setting is told with the one that may be meant; others are not."""
    environ = {"HUBSPOT_ACESS_TOKEN": "t", "CALL_PROPERTY": "x", "PATH": "/bin", "HUBSPOT_": ""}
    assert misspelt(environ) == {
        "CALL_PROPERTY": "CALL_PROPERTIES",
        "HUBSPOT_ACESS_TOKEN": "HUBSPOT_ACCESS_TOKEN",
    }
    assert levels(judge_settings({**WHOLE, **environ}))["CALL_PROPERTY"] == "warning"


async def test_a_failing_check_is_a_finding() -> None:
    """A check that fails for a reason nobody thought of is told, and stops nothing."""

    async def failing() -> Sequence[Finding]:
        message = "two\nlines"
        raise KeyError(message)

    (finding,) = await guarded("clocks", failing())
    assert (finding.group, finding.level) == ("clocks", "problem")
    assert "KeyError" in finding.said
    assert "\n" not in finding.said


async def test_a_check_that_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that does not end is given up in time."""
    monkeypatch.setattr(findings, "WITHIN_S", 0.01)

    async def hanging() -> Sequence[Finding]:
        await asyncio.get_running_loop().create_future()
        return ()

    (finding,) = await guarded("redis", hanging())
    assert finding.said.startswith("not finished within")


def test_each_failure_has_something_to_do() -> None:
    """Every kind of failure is told with what to do about it."""
    for kind, hint in TODO.items():
        assert told(PortalFailure(kind=kind, status=500)) == (f"{kind} (status 500)", hint)
    assert told(PortalFailure(kind="budget"))[1]
    assert told(RecordRefused(400, category="VALIDATION_ERROR"))[0].startswith("refused")


def test_some_names() -> None:
    """Of many names the first are shown, and how many more there are."""
    assert some("abc") == "a, b, c"
    assert some("abcdefg") == "a, b, c, d, e and 2 more"


def test_how_findings_are_shown() -> None:
    """Each finding is a line, what to do another, under the name of its group."""
    notes = Notes("redis")
    notes.ok("version", "Redis 7.2.0")
    notes.problem("eviction", "allkeys-lru: data are dropped", "set noeviction")
    report = report_of(notes.findings)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table(report))
    shown = [line.rstrip() for line in console.export_text().splitlines()]
    assert [line.split() for line in shown] == [
        ["redis"],
        ["✓", "version", "Redis", "7.2.0"],
        ["✗", "eviction", "allkeys-lru:", "data", "are", "dropped"],
        ["→", "set", "noeviction"],
    ]
    assert summary(report) == "\n1 problem and no warnings"
