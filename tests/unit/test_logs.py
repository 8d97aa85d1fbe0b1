"""How processes log."""

import io
import logging
from collections.abc import Iterator

import msgspec
import pytest
import structlog

from jobs import logs


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:], level = before[0], before[1]
    root.setLevel(level)


def written(out: io.StringIO) -> list[dict[str, object]]:
    """Return the JSON lines that were logged."""
    return [msgspec.json.decode(line) for line in out.getvalue().splitlines()]


def test_our_events_and_those_of_libraries_look_alike() -> None:
    """An event of ours and a record of a library are JSON lines with the same four fields."""
    out = io.StringIO()
    logs.configure("info", "json", out)
    structlog.get_logger("ours").info("calls marked", calls=3)
    logging.getLogger("theirs").warning("%d retries", 2)
    ours, theirs = written(out)
    assert ours.pop("timestamp")
    assert theirs.pop("timestamp")
    assert ours == {"event": "calls marked", "calls": 3, "logger": "ours", "level": "info"}
    assert theirs == {"event": "2 retries", "logger": "theirs", "level": "warning"}


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("warning", 2), ("error", 1)])
def test_what_is_less_severe_is_not_logged(level: logs.Level, count: int) -> None:
    """Only events of the level and above are written."""
    out = io.StringIO()
    logs.configure(level, "json", out)
    log = structlog.get_logger("ours")
    for say in (log.debug, log.info, log.warning, log.error):
        say("something")
    assert len(written(out)) == count


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_holds_no_local_variable(form: logs.Form) -> None:
    """An exception is logged with its traceback, but without what the variables held."""
    out = io.StringIO()
    logs.configure("info", form, out)
    token = "t0ken"

    def fail() -> None:
        held = f"{token}-of-the-account"
        assert held
        msg = "refused"
        raise ValueError(msg)

    try:
        fail()
    except ValueError:
        structlog.get_logger("ours").exception("request failed")
    assert "ValueError: refused" in out.getvalue()
    assert f"{token}-of-the-account" not in out.getvalue()


def test_values_that_json_does_not_know_are_shown() -> None:
    """Any value may be logged; one unknown to JSON appears as its repr."""
    out = io.StringIO()
    logs.configure("info", "json", out)
    structlog.get_logger("ours").info("odd", value=object, text="é\n")
    (line,) = written(out)
    assert line["value"] == "<class 'object'>"
    assert line["text"] == "é\n"


def test_without_a_terminal_the_form_is_json() -> None:
    """Unless told, lines are JSON where nobody looks on."""
    out = io.StringIO()
    logs.configure("info", None, out)
    structlog.get_logger("ours").info("hello")
    assert written(out)[0]["event"] == "hello"


def test_talkative_libraries_are_heard_from_warnings_on() -> None:
    """What arq says of each job is not repeated."""
    out = io.StringIO()
    logs.configure("info", "json", out)
    logging.getLogger("arq.worker").info("job done")
    logging.getLogger("arq.worker").warning("job failed")
    assert [line["event"] for line in written(out)] == ["job failed"]
