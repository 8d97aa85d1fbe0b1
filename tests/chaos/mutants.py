"""`python -m tests.chaos.mutants`: is each protection missed when it is gone?

Each mutation is applied to a copy of the tree, and the campaign conducts on that build the windows
that are to notice. Exit status 0 if every mutation was caught, 1 if not.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench.report import now
from tests.chaos.mutation import Mutation, copy_tree
from tests.chaos.mutations import MUTATIONS
from tests.chaos.report import Report
from tests.chaos.verdict import Result
from tests.simulator.process import ROOT

FILE: Final = Path("build/chaos/mutants.json")
PATIENCE_S: Final = 30.0
"""Until quiet: a hint is looked for during 12 s, and nobody waits for a broken build."""
WITHIN_S: Final = 400.0
"""For one window on one build."""


class Catch(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one mutation."""

    mutation: str
    removes: str
    caught_by: str
    """The window that noticed; empty: none did."""
    seed: int
    how: str
    """What the window found."""
    tried: Sequence[str]


class Catches(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all of them."""

    at: str
    mutants: Sequence[Catch]


def conducted(tree: Path, window: str, seed: int) -> Result:
    """Conduct one window on the build in `tree`, and return what it showed."""
    report = tree / "result.json"
    options = [f"--seeds={seed}", f"--patience={PATIENCE_S}", f"--json={report}"]
    subprocess.run(
        [sys.executable, "-m", "tests.chaos", window, *options],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tree), str(tree / "client")])},
        stdout=subprocess.DEVNULL,
        timeout=WITHIN_S,
        check=False,
    )
    (result,) = msgspec.json.decode(report.read_bytes(), type=Report).results
    return result


def hunt(mutation: Mutation, seeds: Sequence[int]) -> Catch:
    """Conduct windows on a build without the protection until one notices."""
    tried: list[str] = []
    with tempfile.TemporaryDirectory(prefix="callstream-mutant-") as folder:
        tree = Path(folder)
        copy_tree(ROOT, tree)
        for patch in mutation.patches:
            patch.apply(tree)
        for seed in seeds:
            for window in mutation.windows:
                result = conducted(tree, window, seed)
                tried.append(f"{window} (seed {seed}): {told(result)}")
                if result.status == "VALID" and not result.passed:
                    return _catch(mutation, tried, window, seed, told(result))
    return _catch(mutation, tried, "", 0, "")


def _catch(mutation: Mutation, tried: list[str], window: str, seed: int, how: str) -> Catch:
    return Catch(
        mutation=mutation.name,
        removes=mutation.removes,
        caught_by=window,
        seed=seed,
        how=how,
        tried=tried,
    )


def told(result: Result) -> str:
    """Return in a few words what a window found."""
    found = result.after_round or result.before_round
    figures = {
        "lost": found.lost,
        "repeated": found.repeated,
        "reordered": found.reordered,
        "other": found.other,
        "by hand": len(result.manual),
    }
    broken = ", ".join(f"{count} {name}" for name, count in figures.items() if count)
    return broken or result.why or "nothing"


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutants")
    parser.add_argument("mutations", nargs="*", help="names; all without any")
    parser.add_argument("--seeds", default="1,2", help="tried one after the other")
    parser.add_argument("--json", type=Path, default=FILE, help="where the result goes")
    return parser


def main() -> int:
    """Hunt the mutations and return the exit status."""
    args = arguments().parse_args()
    console = Console(width=160)
    seeds = [int(seed) for seed in args.seeds.split(",")]
    wanted = [one for one in MUTATIONS if not args.mutations or one.name in args.mutations]
    table = Table(title="A build without each protection")
    for title in ("mutation", "removes", "caught by", "how"):
        table.add_column(title)
    catches: list[Catch] = []
    for mutation in wanted:
        catch = hunt(mutation, seeds)
        catches.append(catch)
        by = f"{catch.caught_by} (seed {catch.seed})" if catch.caught_by else "NOT CAUGHT"
        console.print(f"{mutation.name}: {by}, {'; '.join(catch.tried)}", markup=False)
        table.add_row(mutation.name, mutation.removes, by, catch.how)
    console.print(table)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_bytes(msgspec.json.encode(Catches(at=now(), mutants=catches)))
    return 0 if catches and all(catch.caught_by for catch in catches) else 1


if __name__ == "__main__":
    sys.exit(main())
