"""How a process logs: one line an event on stderr, as JSON or for the eyes.

Our own events come through structlog, those of libraries through the standard logging; both leave
in one form. Tracebacks are without local variables, which could hold tokens or what was said on a
call.
"""

import logging
import sys
from typing import Final, Literal, TextIO

import msgspec
import structlog
from structlog.stdlib import LoggerFactory, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import Processor

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["console", "json"]

TALKATIVE: Final = ("aiohttp", "arq", "asyncio")
"""Libraries of which only warnings are wanted: arq tells each job twice."""


def configure(level: Level, form: Form | None = None, stream: TextIO | None = None) -> None:
    """Set up logging for this process; may be called again.

    Args:
        level: the least severe of what is logged.
        form: None means `console` on a terminal, else `json`.
        stream: where to; None means stderr.
    """
    out = stream or sys.stderr
    console = out.isatty() if form is None else form == "console"
    threshold = logging.getLevelNamesMapping()[level.upper()]
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_logger_name,
        add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*common, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    ending = _for_eyes(colors=out.isatty()) if console else _for_machines()
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, threshold))


def _for_eyes(*, colors: bool) -> list[Processor]:
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def _for_machines() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_encode),
    ]


def _encode(value: object, **_: object) -> str:
    return msgspec.json.encode(value, enc_hook=repr).decode()
