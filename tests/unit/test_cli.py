"""The `callstream` command: its help, its exit status, its errors."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import rich_click as click
from click.testing import CliRunner

from service.cli import COMMANDS, errors_in_one_line, main
from tests.support.commands import CALLSTREAM, COMPLETE, run_command


def test_help_lists_every_command() -> None:
    """--help names every command with a word on it, and ends with 0."""
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert [name for name in COMMANDS if f" {name} " not in result.output] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str) -> None:
    """Each command explains itself."""
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_help_is_quick(tmp_path: Path) -> None:
    """--help imports neither the web framework nor the job queue nor the HTTP client."""
    listing = (
        "import sys, atexit\n"
        "heavy = ('litestar', 'arq', 'aiohttp', 'granian', 'redis')\n"
        "atexit.register(lambda: print([name for name in heavy if name in sys.modules]))\n"
        "from service.cli import main\n"
        "main(['--help'])\n"
    )
    result = run_command([sys.executable, "-c", listing], tmp_path)
    assert result.stdout.splitlines()[-1] == "[]"


def test_without_a_command_help_is_wrong_usage() -> None:
    """No command at all is wrong usage, answered with the help."""
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert "Usage" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["service", "--port", "http"],
        ["service", "--port", "0"],
        ["service", "--workers", "0"],
        ["worker", "--queue", "dead"],
        ["run", "now"],
    ],
)
def test_wrong_usage_is_one_line_and_status_2(arguments: list[str]) -> None:
    """A wrong command line is told in one line on stderr, status 2."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("callstream: ")


@pytest.mark.parametrize("command", ["service", "worker", "run", "status"])
def test_wrong_settings_are_listed_and_status_2(tmp_path: Path, command: str) -> None:
    """Every wrong setting is a line on stderr that names it, status 2, without a traceback."""
    result = run_command([*CALLSTREAM, command], tmp_path, MAX_BODY="much", NAMESPACE="a:b")
    told = [
        line.removeprefix("callstream: ").partition(":")[0] for line in result.stderr.split("\n")
    ]
    assert result.returncode == 2
    assert result.stdout == ""
    assert {"MAX_BODY", "NAMESPACE"} <= set(told)
    assert "Traceback" not in result.stderr


def test_a_broken_file_of_settings_is_told(tmp_path: Path) -> None:
    """A line of `.env` that is no setting is named by its number, status 2."""
    (tmp_path / ".env").write_text("REDIS_URL=redis://localhost\nthis is no setting\n")
    result = run_command([*CALLSTREAM, "status"], tmp_path)
    assert result.returncode == 2
    assert result.stderr == "callstream: .env: line 2 is not NAME=value\n"


def test_a_redis_that_is_away_is_one_line_and_status_1(tmp_path: Path) -> None:
    """Without its Redis a command fails with one clear line."""
    away = {**COMPLETE, "REDIS_URL": "redis://127.0.0.1:1/0", "LOG_LEVEL": "error"}
    result = run_command([*CALLSTREAM, "status"], tmp_path, **away)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("callstream: ")
    assert "127.0.0.1:1" in line


def _raise(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (ValueError("two\nlines"), 1, "callstream: ValueError: two lines\n"),
        (KeyError(), 1, "callstream: KeyError: no further word\n"),
        (click.ClickException("no such id"), 1, "callstream: no such id\n"),
        (click.Abort(), 1, ""),
        (KeyboardInterrupt(), 1, ""),
    ],
)
def test_any_error_is_one_line(
    error: BaseException, status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever goes wrong inside is one line on stderr, never a traceback."""
    with pytest.raises(SystemExit) as end, errors_in_one_line():
        _raise(error)()
    assert end.value.code == status
    assert capsys.readouterr().err == told


def test_a_reader_that_leaves_is_no_error_message(tmp_path: Path) -> None:
    """When the reader of our output closes its end there is no complaint on stderr."""
    line = f"'{sys.executable}' -m service.cli --help | true"
    result = run_command(["sh", "-c", line], tmp_path)
    assert result.stderr == ""


def test_version() -> None:
    """--version tells name and version."""
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("callstream ")
