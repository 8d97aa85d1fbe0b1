"""Names that hold on one machine only: hosts of package indexes, and paths of somebody's folders.

A lock file or a configuration that names them would install from there, or fail, everywhere else.
"""

import re
from pathlib import Path

from tests.checks import ROOT, files, report, text_of

STRAYS = {
    "a package index": re.compile(
        r"\bpypi\.(?:org|io)\b|\bpythonhosted\.org\b|\b(?:registry\.)?npmjs\.(?:org|com)\b",
        re.IGNORECASE,
    ),
    "an option that names a package index": re.compile(
        r"(?<![\w-])--(?:extra-)?index-url\b|(?<![\w-])--find-links\b|(?<![\w-])--trusted-host\b"
    ),
    "a path of one machine": re.compile(
        r"(?<![\w.:/-])/(?:root|home/[\w.-]+|Users/[\w.-]+|work|workspace|opt/[\w.-]+)/[\w.-]"
        r"|\bfile:///\w|\b[A-Z]:\\Users\\"
    ),
}


def strays(text: str) -> list[tuple[int, str]]:
    """Return the line numbers of what should not be named, each with what it is."""
    return [
        (number, what)
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in STRAYS.items()
        if pattern.search(line)
    ]


def problems(root: Path = ROOT) -> list[str]:
    """Return every stray name of the repository, this module and its test aside."""
    own = {Path("tests/checks/strays.py"), Path("tests/unit/test_checks.py")}
    return [
        f"{path}:{number}: names {what}"
        for path in files(root)
        if path not in own
        for number, what in strays(text_of(root / path) or "")
    ]


if __name__ == "__main__":
    report("strays", problems())
