"""Keeps the board of `callstream run` true."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
from callstream_client.follow import follow
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.cli.running.board import Board, Line, Part
from service.cli.running.children import Child
from service.figures import waiting, workers

EVERY_S: Final = 0.5
"""How often the parts are looked at."""
ANSWER_S: Final = 2.0
"""How long the service may take to say how it is."""


class ChildEndedError(Exception):
    """A child ended though nobody told it to."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is looked at, and the board on which it is written."""

    board: Board
    children: Sequence[Child]
    ledger: Redis
    streams: Redis
    namespace: str
    since: str
    """The entry id after which events are shown."""
    ready_url: str
    """Where the service says whether it is ready."""
    service: Part
    worker: Part
    redis: Part

    async def until(self, stop: asyncio.Event, show: Callable[[Line], None]) -> None:
        """Write on the board, and show each event, until `stop` is set.

        Raises:
            ChildEndedError: a child ended.
        """
        work = [
            _set(stop),
            self._events(show),
            self._processes(),
            self._service(),
            self._figures(),
        ]
        watching = [asyncio.create_task(part) for part in work]
        try:
            done, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    async def _events(self, show: Callable[[Line], None]) -> None:
        async for delivery in follow(self.streams, namespace=self.namespace, since=self.since):
            if line := self.board.take(delivery):
                show(line)

    async def _processes(self) -> None:
        while True:
            for child in self.children:
                if how := child.ended():
                    raise ChildEndedError(how)
                self.board.warning = child.complaint() or self.board.warning
            await asyncio.sleep(EVERY_S)

    async def _service(self) -> None:
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    async with session.get(self.ready_url) as answer:
                        self.service.state = "up" if answer.ok else "away"
                except (aiohttp.ClientError, TimeoutError):
                    if self.service.state != "starting":
                        self.service.state = "away"
                await asyncio.sleep(EVERY_S)

    async def _figures(self) -> None:
        while True:
            try:
                self.board.waiting = await waiting(self.ledger, self.namespace)
                if await workers(self.ledger, self.namespace):
                    self.worker.state = "up"
                self.redis.state = "up"
            except (RedisError, OSError, TimeoutError):
                self.redis.state = "away"
            await asyncio.sleep(EVERY_S)


async def _set(stop: asyncio.Event) -> None:
    await stop.wait()
