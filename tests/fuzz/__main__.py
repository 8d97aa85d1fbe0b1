"""`make fuzz`: every target under atheris, one after the other, and how many inputs each survived.

Inputs that broke something are kept in `build/fuzz`; run one again by
`python -m tests.fuzz.driver NAME FILE`, and keep it in the target's corpus once it is mended.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from tests.checks import ROOT
from tests.fuzz.targets import CORPUS, TARGETS

FINDINGS = ROOT / "build" / "fuzz"
WORDS = Path(__file__).with_name("json.dict")
_DONE = re.compile(r"^Done (\d+) runs", re.MULTILINE)
_LAST = re.compile(r"^#(\d+)\s", re.MULTILINE)
_LINES = 30


class Fuzzed(msgspec.Struct, frozen=True):
    """What became of one target."""

    target: str
    executions: int
    seconds: float
    broken: bool


def fuzz(name: str, executions: int, seed: int) -> Fuzzed:
    """Fuzz one target in a process of its own, from the kept corpus on."""
    target = TARGETS[name]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"callstream-fuzz-{name}-") as grown:
        finished = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.driver", name, grown, str(CORPUS / name)),
                *(f"-runs={executions}", f"-max_len={target.longest}", f"-seed={seed}"),
                *(f"-dict={WORDS}", f"-artifact_prefix={FINDINGS}/{name}-", "-timeout=10"),
                *("-verbosity=1", "-rss_limit_mb=2048"),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            errors="replace",
            check=False,
        )
    said = finished.stderr
    counted = _DONE.findall(said) or _LAST.findall(said) or ["0"]
    if finished.returncode:
        sys.stderr.write("\n".join(said.splitlines()[-_LINES:]) + "\n")
    took = round(time.monotonic() - began, 1)
    return Fuzzed(name, int(counted[-1]), took, broken=finished.returncode != 0)


def main() -> None:
    """Fuzz all targets, or some; end with status 1 if one was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="all by default")
    parser.add_argument("--runs", type=int, default=1_000_000, help="executions, shared by all")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    names: list[str] = arguments.targets or list(TARGETS)
    FINDINGS.mkdir(parents=True, exist_ok=True)
    shares = sum(TARGETS[name].share for name in names)
    results: list[Fuzzed] = []
    for name in names:
        runs = arguments.runs * TARGETS[name].share // shares
        results.append(fuzz(name, runs, arguments.seed))
        row = results[-1]
        outcome = "BROKEN" if row.broken else "ok"
        sys.stdout.write(f"{name:<20}{row.executions:>12,}{row.seconds:>9.1f} s  {outcome}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{'together':<20}{sum(row.executions for row in results):>12,}\n")
    (FINDINGS / "result.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    sys.exit(any(row.broken for row in results))


if __name__ == "__main__":
    main()
