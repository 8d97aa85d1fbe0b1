"""The search for secrets in everything that the test suite wrote."""

from pathlib import Path

import pytest

from tests.support.searched import logs_under, secrets_in


@pytest.mark.parametrize(
    "secret",
    [
        "na1-refresh-" + "0" * 40,
        "pat-na1-a12f2f34-a653-4188-8f22-59344f2bd1ee",
        "fleet-client-secret",
        "planted-body-what-was-said-on-the-call",
        "+15550001234567",
        "+1 415 555 2671",
    ],
)
def test_a_secret_is_found(secret: str) -> None:
    """Each kind is found wherever it stands, and is not told whole."""
    found = secrets_in(f"x {secret} y".encode())
    assert found == {secret[:12]}


def test_what_is_harmless_is_not() -> None:
    """Names of settings, portals and calls are no secrets."""
    assert secrets_in(b"HUBSPOT_ACCESS_TOKEN portal 62515 call 512 na1-access-") == set()


def test_logs_of_programs_are_searched(tmp_path: Path) -> None:
    """The stand-in's own log, and what a browser keeps for itself, are left out."""
    for name in ("test_0/worker.log", "test_0/simulator.log", "test_0/profile/000003.log"):
        log = tmp_path / name
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
    assert [log.name for log in logs_under(tmp_path)] == ["worker.log"]
