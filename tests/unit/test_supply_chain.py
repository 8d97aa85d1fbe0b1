"""What is installed is audited and listed; a database out of reach is said, not held against us."""

import json

import pytest

from tests.checks import audit, sbom
from tests.checks.audit import Advisory, Audit, Dependency, UnreachableError

LOCK = """\
aiohttp==3.14.5 \\
    --hash=sha256:{0} \\
    --hash=sha256:{1}
uvloop==0.23.0 ; sys_platform != 'win32' \\
    --hash=sha256:{0}
""".format("a" * 64, "b" * 64)
PROJECT = '[project]\nname = "callstream"\nversion = "1.2.3"\n'


def test_vulnerabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a problem with what mends it, unless it is tolerated under one of its names."""
    old = Advisory("PYSEC-1", fix_versions=["2.0"], aliases=["CVE-2026-1"])
    found = Audit([Dependency("a", "1.0", vulns=[old, Advisory("PYSEC-2")]), Dependency("b", "1")])

    assert audit.problems(found) == [
        "a 1.0: PYSEC-1, mended in 2.0",
        "a 1.0: PYSEC-2, mended in no version yet",
    ]
    monkeypatch.setattr(audit, "TOLERATED", {"CVE-2026-1": "not reached"})
    assert audit.problems(found) == ["a 1.0: PYSEC-2, mended in no version yet"]


def test_unknown_packages() -> None:
    """A package that the database does not know is named."""
    found = Audit([Dependency("a", "1.0"), Dependency("b", skip_reason="not found")])

    assert audit.unknown(found) == ["b"]


@pytest.mark.parametrize(
    ("lock", "within_s"), [("requirements/runtime.txt", 0.05), ("requirements/none.txt", 30.0)]
)
def test_no_answer(lock: str, within_s: float) -> None:
    """An audit that ends without an answer, or not in time, is told apart from a clean one."""
    with pytest.raises(UnreachableError):
        audit.ask(lock, within_s)


def test_list_of_what_is_installed() -> None:
    """Every pinned package is in the document, with its version, marker and hashes."""
    found = json.loads(sbom.document(LOCK, PROJECT))

    assert found["bomFormat"] == "CycloneDX"
    assert found["metadata"]["component"]["version"] == "1.2.3"
    assert [(one["name"], one["version"]) for one in found["components"]] == [
        ("aiohttp", "3.14.5"),
        ("uvloop", "0.23.0"),
    ]
    assert [len(one["hashes"]) for one in found["components"]] == [2, 1]
    assert found["components"][1]["properties"][0]["value"] == "sys_platform != 'win32'"
    whole = [one for one in found["dependencies"] if one["ref"] == "callstream"]
    assert whole[0]["dependsOn"] == ["aiohttp==3.14.5", "uvloop==0.23.0"]
    assert found["serialNumber"] == json.loads(sbom.document(LOCK, PROJECT))["serialNumber"]
