"""A log line is written once per interval and kind, and tells how many it stands for."""

from jobs.log_limit import Quiet


def test_speaks_once_per_interval() -> None:
    """The first speaks, the next ones are counted, and the one after the interval tells."""
    now = 100.0
    quiet = Quiet(10.0, clock=lambda: now)

    said = [quiet.speak("stale") for _ in range(4)]
    other = quiet.speak("wrong-secret")
    now = 110.0
    later = [quiet.speak("stale") for _ in range(2)]

    assert said == [0, None, None, None]
    assert other == 0
    assert later == [3, None]
