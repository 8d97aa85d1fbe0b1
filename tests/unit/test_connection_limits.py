"""How many connections a worker of the service keeps follows from the files that it may open."""

import subprocess
import sys

import pytest

from service.serving import CONNECTIONS, OTHER_FILES
from tests.checks import ROOT

PROGRAM = """
import resource, sys
from service.serving import connections_within_limits
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(connections_within_limits(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "files"),
    [
        (1_024, 10_000, CONNECTIONS, CONNECTIONS + OTHER_FILES),
        (8_192, 10_000, CONNECTIONS, 8_192),
        (1_024, 2_048, 2_048 - OTHER_FILES, 2_048),
        (300, 300, OTHER_FILES, 300),
    ],
)
def test_limits(soft: int, hard: int, connections: int, files: int) -> None:
    """The soft limit is raised as far as needed and allowed; what is left of it are connections."""
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(soft), str(hard)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == [str(connections), str(files)]
