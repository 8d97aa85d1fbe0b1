"""What a start leaves behind is exempt from garbage collection, in every process that serves."""

import asyncio
import gc
import os
import signal
import weakref
from collections.abc import Generator

import pytest

from jobs import worker
from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.garbage import keep_for_good
from service import serving
from service.embedded.server import EmbeddedRedis
from tests.support.commands import COMPLETE


@pytest.fixture(autouse=True)
def nothing_kept() -> Generator[None]:
    """Begin and end with nothing exempt, and with Python's own thresholds."""
    thresholds = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


class Ring:
    """An object that only a garbage collection frees."""

    def __init__(self) -> None:
        self.itself = self


def is_looked_at(thing: object) -> bool:
    """Tell whether a full collection looks at the object."""
    return any(one is thing for one in gc.get_objects())


def test_what_exists_is_not_looked_at_again() -> None:
    """A full collection looks at what was made after the start, and not at what was made by it."""
    before = Ring()
    assert is_looked_at(before)
    keep_for_good()
    after = Ring()
    assert not is_looked_at(before)
    assert is_looked_at(after)


def test_pages_bring_no_collection_about() -> None:
    """What a page of a hundred calls makes at once is too little for a collection."""
    keep_for_good()
    before = gc.get_stats()[0]["collections"]
    page = [[number] for number in range(15_000)]
    assert gc.get_stats()[0]["collections"] == before
    assert len(page) == 15_000


def test_garbage_of_the_start_is_freed() -> None:
    """What nobody holds any more when the start is over is not kept."""
    ring = weakref.ref(Ring())
    keep_for_good()
    assert ring() is None


@pytest.mark.one_redis
@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")
async def test_worker_keeps_what_its_start_made(redis_url: str) -> None:
    """A worker that has started looks at none of its modules in a full collection."""
    settings = Settings(
        redis_url=redis_url,
        streams_redis_url=redis_url,
        hubspot_access_token=Secret("a-token"),
        hubspot_portal_id=62515,
        hubspot_api_url="http://127.0.0.1:9",
    )
    running = asyncio.create_task(worker.run(settings))
    async with asyncio.timeout(20):
        while gc.get_freeze_count() == 0 and not running.done():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 20)
    assert not is_looked_at(vars(worker))


@pytest.mark.one_redis
@pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
def test_service_keeps_what_its_start_made(
    redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service's process that has started looks at none of its modules in a full collection."""
    for name, value in (COMPLETE | {"REDIS_URL": redis_server.url}).items():
        monkeypatch.setenv(name, value)
    serving.create_app()
    assert not is_looked_at(vars(serving))
