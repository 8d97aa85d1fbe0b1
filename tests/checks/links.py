"""Dead relative links in Markdown, and files named in backticks that are not there."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.checks import ROOT, files, report, text_of

FENCE = re.compile(r"^( {0,3})(```+|~~~+).*?^ {0,3}\2[`~]*\s*?$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
INLINE = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'(][^)]*)?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]^]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)
HTML = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=[\"']([^\"']+)[\"']")
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
ANCHOR = re.compile(r"<[^>]+\b(?:id|name)=[\"']([^\"']+)[\"']")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)
SPOKEN = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:md|py|lua|toml|txt|json|yaml|yml))`")


def targets(markdown: str) -> Iterator[str]:
    """Yield where the links of a text lead, code aside."""
    prose = CODE.sub("", FENCE.sub("", markdown))
    for pattern in (INLINE, REFERENCE, HTML):
        yield from (str(match[1]) for match in pattern.finditer(prose))


def anchors(markdown: str) -> set[str]:
    """Return what a link into this text may name, as GitHub makes it from its headings."""
    prose = FENCE.sub("", markdown)
    found = {str(match[1]) for match in ANCHOR.finditer(prose)}
    for heading in HEADING.finditer(prose):
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
        base = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = 0
        while (name := f"{base}-{count}" if count else base) in found:
            count += 1
        found.add(name)
    return found


def dead_links(page: Path, root: Path = ROOT) -> Iterator[str]:
    """Yield the links of a Markdown file that lead to no file, or to no heading."""
    markdown = (root / page).read_text(encoding="utf-8")
    for target in targets(markdown):
        if ELSEWHERE.match(target):
            continue
        path, _, anchor = target.partition("#")
        place = root / page if not path else (root / page).parent / path
        if path.startswith("/") or not place.resolve().is_relative_to(root.resolve()):
            yield f"{page}: {target} leads out of the repository"
        elif not place.exists():
            yield f"{page}: {target} leads nowhere"
        elif anchor and place.suffix == ".md" and anchor not in anchors(text_of(place) or ""):
            yield f"{page}: {target} names no heading"


def unknown_files(page: Path, known: set[Path], root: Path = ROOT) -> Iterator[str]:
    """Yield the paths in backticks that start with a folder of ours but are no file of ours."""
    tops = {path.parts[0] for path in known if len(path.parts) > 1}
    for match in SPOKEN.finditer(text_of(root / page) or ""):
        path = Path(match[1])
        if path.parts[0] in tops and path not in known:
            yield f"{page}: `{path}` is not there"


def problems(root: Path = ROOT) -> list[str]:
    """Return every dead link and unknown file of the repository, this check's test aside."""
    known = [path for path in files(root) if path != Path("tests/unit/test_checks.py")]
    pages = [path for path in known if path.suffix == ".md"]
    found = [line for page in pages for line in dead_links(page, root)]
    found += [line for page in known for line in unknown_files(page, set(known), root)]
    return found


if __name__ == "__main__":
    report("links", problems())
