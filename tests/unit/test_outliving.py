"""Tasks that a process cannot do without begin anew after an error."""

import asyncio
import contextlib

from structlog.testing import capture_logs

from jobs.outliving import outlive


async def test_an_unforeseen_error_ends_one_attempt() -> None:
    """The work is begun anew until it returns, and each error is told."""
    attempts: list[int] = []

    async def work() -> None:
        attempts.append(len(attempts))
        if len(attempts) < 3:
            msg = "unforeseen"
            raise TypeError(msg)

    with capture_logs() as logs:
        await outlive("sweep", work, pause_s=0)
    assert attempts == [0, 1, 2]
    assert [entry["task"] for entry in logs] == ["sweep", "sweep"]


async def test_cancelling_ends_the_work() -> None:
    """A cancelled task is not begun anew."""
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(outlive("sweep", work))
    await began.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
