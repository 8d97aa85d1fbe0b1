"""Whether `docs/settings.md` and `.env.example` tell the settings as they are, or `--write` them.

Both are made from `jobs.config.settings`: the fields, the text under each, their defaults.
"""

import argparse
import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec

from jobs.config import settings
from jobs.config.settings import DOCUMENTED_PROPERTIES, KINDS, REQUIRED, Settings
from tests.checks import ROOT, report, text_of

PAGE = Path("docs/settings.md")
EXAMPLE = Path(".env.example")
FOR_TESTS = {"timing_scale"}
"""Fields that no operator sets."""
FIRST = (*REQUIRED["run"], "hubspot_access_token")
"""What a newcomer fills in."""

INTRODUCTION = """\
# Settings

<!-- Made by `make settings` from jobs/config/settings.py; edit there. -->

From the environment, or from a file `.env` in the working directory; the environment wins. An empty
value counts as absent, except for `CALL_ASSOCIATIONS`, where it means none. A missing or wrong
setting stops the process at once, exit status 2, with every problem listed, one line each.

Lengths of time are written `30s`, `10m`, `24h`, `7d`, or as plain seconds; amounts of bytes
`512KiB`, `16MiB`, `4GiB`, or plain; lists are comma-separated.

| name | default | meaning |
|---|---|---|
"""


def texts() -> dict[str, str]:
    """Return the text under each field of the settings, on one line."""
    tree = ast.parse(inspect.getsource(settings))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    )
    found: dict[str, str] = {}
    for field, below in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            told = below.value if isinstance(below, ast.Expr) else None
            if isinstance(told, ast.Constant) and isinstance(told.value, str):
                found[field.target.id] = " ".join(told.value.split())
    return found


def default(name: str) -> str:
    """Return a field's default as it would stand in the environment; empty if there is none."""
    value = next(f.default for f in msgspec.structs.fields(Settings) if f.name == name)
    if value is None or value in ("", ()) or value == DOCUMENTED_PROPERTIES:
        return ""
    return KINDS[name].show(value)


def page() -> str:
    """Return `docs/settings.md`."""
    told = texts()
    rows = [
        f"| `{name.upper()}` | {f'`{shown}`' if (shown := default(name)) else ''} | {told[name]} |"
        for name in KINDS
        if name not in FOR_TESTS
    ]
    return INTRODUCTION + "\n".join(rows) + "\n"


def example() -> str:
    """Return `.env.example`."""
    told = texts()

    def lines(name: str, mark: str) -> Iterator[str]:
        yield from (f"# {line}" for line in textwrap.wrap(told[name].replace("`", ""), 98))
        yield f"{mark}{name.upper()}={default(name)}"
        yield ""

    first = [line for name in FIRST for line in lines(name, "")]
    others = [name for name in KINDS if name not in FIRST and name not in FOR_TESTS]
    rest = [line for name in others for line in lines(name, "#")]
    head = ["# Copy to .env and fill in, to run Callstream on a HubSpot account.", ""]
    return "\n".join([*head, *first, "# Everything below has a default.", "", *rest]).strip() + "\n"


def problems(root: Path = ROOT) -> list[str]:
    """Return which of the two files do not tell the settings as they are."""
    bare = [
        f"jobs/config/settings.py: {name} has no text under it" for name in KINDS.keys() - texts()
    ]
    if bare:
        return bare
    wanted = {PAGE: page(), EXAMPLE: example()}
    return [
        f"{path}: is not what jobs/config/settings.py says; run `make settings`"
        for path, text in wanted.items()
        if not (root / path).exists() or text_of(root / path) != text
    ]


def main() -> None:
    """Compare the two files, or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the files")
    if not parser.parse_args().write:
        report("settings", problems())
    (ROOT / PAGE).write_text(page(), encoding="utf-8")
    (ROOT / EXAMPLE).write_text(example(), encoding="utf-8")


if __name__ == "__main__":
    main()
