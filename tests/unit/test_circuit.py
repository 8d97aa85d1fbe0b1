"""Token endpoints that are out: asked now and then, by one, until they answer."""

import pytest

from jobs.accounts.circuit import Circuit
from jobs.hubspot.breaker import TRIPS_AT
from jobs.timing import Timing

TIMING = Timing(probe_first_ms=1_000, probe_last_ms=4_000)


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return what time it is."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    """A process that has not asked yet."""
    return Circuit(TIMING, clock)


def fail(circuit: Circuit, times: int) -> None:
    """Ask in vain."""
    for _ in range(times):
        assert circuit.wait_ms() == 0
        circuit.failed()


def test_some_failures_are_none(circuit: Circuit) -> None:
    """Until so many have failed in a row everybody asks; an answer begins the count anew."""
    for _ in range(3):
        fail(circuit, TRIPS_AT - 1)
        circuit.answered()
    assert circuit.wait_ms() == 0


def test_one_probes_ever_more_rarely(circuit: Circuit, clock: Clock) -> None:
    """Of all who want to ask one may after 1 s, then after 2 s, and at last every 4 s."""
    fail(circuit, TRIPS_AT)
    for wait_ms in (1_000, 2_000, 4_000, 4_000):
        assert circuit.wait_ms() == wait_ms
        clock.now += wait_ms / 1000
        assert circuit.wait_ms() == 0
        circuit.failed()


def test_an_answer_ends_it(circuit: Circuit, clock: Clock) -> None:
    """After the first answer everybody asks again, and an outage would be noticed anew."""
    fail(circuit, TRIPS_AT)
    clock.now += 1
    assert circuit.wait_ms() == 0
    circuit.answered()
    fail(circuit, TRIPS_AT)
    assert circuit.wait_ms() == 1_000


def test_a_probe_that_is_cut_off_is_followed_by_another(circuit: Circuit, clock: Clock) -> None:
    """A caller that never tells what came of its question keeps nobody from the next one."""
    fail(circuit, TRIPS_AT)
    clock.now += 1
    assert circuit.wait_ms() == 0
    clock.now += 2
    assert circuit.wait_ms() == 0
