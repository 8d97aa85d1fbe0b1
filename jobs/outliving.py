"""Keeps a task alive that a process cannot do without."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

PAUSE_S: Final = 1.0
"""How long after an unforeseen error the task begins anew."""

_log = structlog.get_logger(__name__)


async def outlive(
    name: str, work: Callable[[], Awaitable[None]], *, pause_s: float = PAUSE_S
) -> None:
    """Do `work` until it returns; an error that it did not foresee is logged and begins it anew."""
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - nobody would notice that the task is no more
            _log.warning("task failed, and begins anew", task=name, error=repr(error))
            await asyncio.sleep(pause_s)
        else:
            return
