"""Keeps a task alive that a process cannot do without."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def running(**works: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Do all of it beside the block, whatever happens to it, and end it with the block."""
    tasks = [asyncio.create_task(outlive(name, work)) for name, work in works.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
