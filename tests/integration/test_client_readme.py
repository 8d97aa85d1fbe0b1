"""The examples of the client's README run as they are written."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.embedded.server import EmbeddedRedis
from tests.support.redis import MakeRedis
from tests.support.streams import add, announce

README = Path(__file__).parents[2] / "client" / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
EXPECTED = ["callstream.call.updated 512 version 1\n", "calls:{0} 1-0 CallEvent("]
WRITTEN = "redis://127.0.0.1:6379/0"


@pytest.mark.one_redis
@pytest.mark.parametrize(
    ("example", "expected"),
    list(zip(EXAMPLES, EXPECTED, strict=True)),
)
async def test_example(example: str, expected: str, make_redis: MakeRedis) -> None:
    """An example prints the event that is on the stream."""
    server: EmbeddedRedis = make_redis(port=0)
    assert WRITTEN in example
    publisher: Redis = Redis.from_url(server.url)
    await announce(publisher)
    await add(publisher, "512", 1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        example.replace(WRITTEN, server.url),
        stdout=PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = (await process.stdout.readline()).decode()
        process.send_signal(signal.SIGTERM)
        await process.communicate()
    assert re.sub(r"\d+-0", "1-0", line).startswith(expected)
    await publisher.aclose()
