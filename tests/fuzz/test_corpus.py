"""Every kept input, and what a fixed seed makes of them, breaks no target: without atheris."""

import random
from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS, corpus_of

CHANGED = 200
"""Inputs that are made of the kept ones, for each target."""
SMALL = 4_096
"""Bytes of a kept input at most."""
INPUTS = [(name, path) for name in TARGETS for path in corpus_of(name)]


def changed(inputs: list[bytes], longest: int, rng: random.Random) -> bytes:
    """Return two inputs cut and joined, and a few bytes of that changed."""
    first, second = rng.choice(inputs), rng.choice(inputs)
    cut = rng.randint(0, len(first))
    made = bytearray(first[:cut] + second[rng.randint(0, len(second)) :])
    for _ in range(rng.randint(0, 4)):
        at = rng.randint(0, len(made))
        made[at : at + rng.randint(0, 2)] = rng.randbytes(rng.randint(0, 3))
    return bytes(made[:longest])


@pytest.mark.parametrize(
    ("name", "path"), INPUTS, ids=[f"{name}-{path.name[:20]}" for name, path in INPUTS]
)
def test_kept(name: str, path: Path) -> None:
    """What once broke a target, or led into a branch of it, does it no harm."""
    TARGETS[name].run(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_changed(name: str) -> None:
    """Neither does what lies near it."""
    inputs = [path.read_bytes() for path in corpus_of(name)]
    rng = random.Random(name)
    for _ in range(CHANGED):
        TARGETS[name].run(changed(inputs, TARGETS[name].longest, rng))


def test_corpus() -> None:
    """Every target has a corpus, every corpus a target, and no input is long."""
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert all(corpus_of(name) for name in TARGETS)
    assert max(path.stat().st_size for _, path in INPUTS) <= SMALL
    assert sum(target.share for target in TARGETS.values()) == 100
