"""A worker's liveness: what is overdue, and nothing else, is stuck."""

from jobs.liveness import Liveness


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time in s."""
        return self.now


def test_a_loop_that_beats_is_alive() -> None:
    """A loop is stuck when its time is over, by as much as it is over, until it beats again."""
    clock = Clock()
    liveness = Liveness(clock=clock)
    assert liveness.stuck() == {}
    liveness.beat("sweep", 10)
    clock.now += 10
    assert liveness.stuck() == {}
    clock.now += 5
    assert liveness.stuck() == {"sweep": 5.0}
    liveness.beat("sweep", 10)
    assert liveness.stuck() == {}


def test_work_that_does_not_end_is_stuck() -> None:
    """Of works with one name the oldest counts, and none once it has ended."""
    clock = Clock()
    liveness = Liveness(clock=clock)
    with liveness.working("fetch", 60):
        clock.now += 50
        with liveness.working("fetch", 60):
            clock.now += 20
            assert liveness.stuck() == {"fetch": 10.0}
            clock.now += 50
            assert liveness.stuck() == {"fetch": 60.0}
            clock.now -= 50
        assert liveness.stuck() == {"fetch": 10.0}
    assert liveness.stuck() == {}


def test_a_server_that_is_away_is_waited_for() -> None:
    """While somebody says that a server is away no loop is stuck; work still has its own end."""
    clock = Clock()
    liveness = Liveness(clock=clock)
    liveness.beat("sweep", 10)
    with liveness.working("fetch", 20):
        for _ in range(3):
            clock.now += 8
            liveness.wait(10)
        assert liveness.stuck() == {"fetch": 4.0}
    clock.now += 11
    assert liveness.stuck() == {"sweep": 1.0}
