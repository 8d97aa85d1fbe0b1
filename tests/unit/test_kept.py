"""Child processes behind a keeper."""

import os
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from service.embedded.child import KeeperGoneError, Kept
from tests.support.processes import alive, eventually, parent_of

STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@contextmanager
def kept(
    *arguments: str, output: IO[bytes] | None = None, cwd: Path | None = None
) -> Generator[Kept]:
    """Start a Python of ours behind a keeper, and close it."""
    child = Kept([sys.executable, *arguments], output=output, cwd=cwd)
    try:
        child.start()
        yield child
    finally:
        child.close()


def ended(child: Kept) -> bool:
    """Tell whether the child no longer runs."""
    return not child.running()


def test_it_tells_how_the_child_ended() -> None:
    """The exit status of a child that ended by itself is known."""
    with kept("-c", "raise SystemExit(3)") as child:
        assert eventually(lambda: ended(child))
        assert (child.pid, child.status) == (None, 3)


def test_it_tells_which_signal_ended_the_child() -> None:
    """The status of a child ended by a signal is the signal's number, negative."""
    with kept("-c", "import time; time.sleep(60)") as child:
        child.kill()
        assert child.status == -signal.SIGKILL


def test_both_outputs_go_where_asked(tmp_path: Path) -> None:
    """What the child prints, on stdout and stderr, lands in the given file, from its own folder."""
    program = "import os, sys; print(os.getcwd()); print('second', file=sys.stderr)"
    with tempfile.TemporaryFile() as output:
        with kept("-c", program, output=output, cwd=tmp_path) as child:
            assert eventually(lambda: ended(child))
        output.seek(0)
        assert set(output.read().decode().split()) == {os.path.realpath(tmp_path), "second"}


def test_a_stubborn_child_is_killed_in_the_end() -> None:
    """A child that ignores SIGTERM is killed after the time it was given."""
    with tempfile.TemporaryFile() as output, kept("-c", STUBBORN, output=output) as child:
        assert eventually(lambda: os.fstat(output.fileno()).st_size > 0)
        assert child.stop(within_s=0.2) == -signal.SIGKILL


def test_a_child_may_be_started_again() -> None:
    """A child that ended starts again, as another process."""
    with kept("-c", "import time; time.sleep(60)") as child:
        first = child.pid
        child.kill()
        child.start()
        assert child.pid not in {None, first}


def test_starting_a_running_child_changes_nothing() -> None:
    """A child that runs is not started twice."""
    with kept("-c", "import time; time.sleep(60)") as child:
        first = child.pid
        child.start()
        assert child.pid == first


def test_closing_ends_what_the_child_left_running() -> None:
    """A grandchild that outlived the child is gone after closing."""
    program = (
        "import subprocess, sys\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(left.pid, flush=True)\n"
    )
    with tempfile.TemporaryFile() as output:
        with kept("-c", program, output=output) as child:
            assert eventually(lambda: ended(child))
            output.seek(0)
            grandchild = int(output.read())
            assert alive(grandchild)
        assert eventually(lambda: not alive(grandchild))


def test_a_killed_keeper_is_noticed() -> None:
    """Orders to a child whose keeper was killed raise instead of waiting."""
    with kept("-c", "import time; time.sleep(60)") as child:
        assert child.pid is not None
        os.kill(parent_of(child.pid), signal.SIGKILL)

        def noticed() -> bool:
            try:
                return not child.running()
            except KeeperGoneError:
                return True

        assert eventually(noticed)
        with pytest.raises(KeeperGoneError):
            child.start()
