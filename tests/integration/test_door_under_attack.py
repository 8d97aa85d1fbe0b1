"""The service as whoever means harm meets it: a served process, raw sockets, a real Redis."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis

from service.embedded.server import EmbeddedRedis
from service.headers import SECURITY
from service.serving import HEAD_BYTES, HEADER_READ_MS
from tests.support.attacking import head, raw, read_all
from tests.support.commands import CALLSTREAM
from tests.support.committing import marked
from tests.support.redis import keys_in
from tests.support.served import (
    SECRET,
    WEBHOOK,
    Served,
    notification,
    served,
)

pytestmark = pytest.mark.one_redis

SERVICE = (*CALLSTREAM, "service")
BODY = json.dumps([notification(512)]).encode()
ADMIN_TOKEN = "planted-admin-token"


@pytest.fixture(scope="module")
def service(redis_server: EmbeddedRedis) -> Iterator[Served]:
    """A service on the shared Redis, as `callstream service` runs it."""
    settings = {
        "ADMIN_TOKEN": ADMIN_TOKEN,
        "HUBSPOT_CLIENT_ID": "app",
        "HUBSPOT_REDIRECT_URL": "https://hooks.example.com/oauth/callback",
        "TOKEN_KEYS": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
        "TIMING_SCALE": "0.3",
    }
    with served(redis_server.url, command=SERVICE, **settings) as service:
        yield service


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", WEBHOOK, 401),
        ("GET", WEBHOOK, 405),
        ("OPTIONS", WEBHOOK, 405),
        ("GET", "/nowhere", 404),
        ("GET", "/health/live", 200),
        ("GET", "/health/ready", 200),
        ("OPTIONS", "/ops/status", 401),
        ("GET", "/ops/status", 401),
        ("GET", "/oauth/install", 403),
        ("GET", "/oauth/callback?state=x&code=y", 400),
        ("GET", "/schemas/openapi.json", 200),
        ("GET", "/schemas/nothing", 404),
    ],
)
async def test_headers_of_every_answer(
    service: Served, method: str, target: str, status: int
) -> None:
    """Every answer forbids guessing, keeping, telling and loading; none opens to another origin."""
    page = {"Origin": "https://evil.example.com", "Access-Control-Request-Method": "POST"}
    reply = await service.ask(method, target, headers=page)

    found = {name.lower(): value for name, value in reply.headers.items()}
    assert reply.status == status
    assert {name.decode() for name, _ in SECURITY} <= found.keys()
    assert found["x-content-type-options"] == "nosniff"
    assert found["cache-control"] == "no-store"
    assert found["referrer-policy"] == "no-referrer"
    assert found["content-security-policy"].startswith("default-src 'none'")
    assert not [name for name in found if name.startswith("access-control-")]


async def test_headers_of_a_taken_delivery(service: Served, redis: Redis) -> None:
    """Also the answer that has no body says so."""
    reply = await service.deliver(1)

    assert reply.status == 204
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert await marked(redis) == {1}


@pytest.mark.parametrize(
    "target",
    [
        "//webhooks/hubspot",
        "/webhooks//hubspot",
        "/WEBHOOKS/hubspot",
        "/webhooks/./hubspot",
        "/x/../webhooks/hubspot",
        "/webhooks%2Fhubspot",
        "/webhooks/hubspot;x=1",
        "/webhooks/hubspot%00",
        "/webhooks/hubspot%0d%0aX-Evil:%201",
        "/health/live/../../webhooks/hubspot",
    ],
)
async def test_path_tricks_at_the_front_door(service: Served, redis: Redis, target: str) -> None:
    """However a path is spelt, an unsigned delivery is taken nowhere."""
    reply = await service.ask("POST", target, BODY)

    assert reply.status in {400, 401, 404, 405}
    assert "X-Evil" not in reply.headers
    assert await keys_in(redis) == set()


@pytest.mark.parametrize(
    "target",
    [
        "/ops/status",
        "//ops/status",
        "/ops//status",
        "/OPS/status",
        "/ops/status/",
        "/ops/%73tatus",
        "/%6fps/status",
        "/ops/./status",
        "/health/../ops/status",
        "/health/live/..;/ops/status",
        "/ops/status?token=planted-admin-token",
    ],
)
async def test_path_tricks_at_the_operators_door(service: Served, target: str) -> None:
    """No spelling of a path leads past the token, and a token in the URL is none."""
    assert (await service.ask("GET", target)).status in {401, 404}


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer planted-admin-toke",
        "Bearer planted-admin-token2",
        "Basic planted-admin-token",
        f"bearer {ADMIN_TOKEN.upper()}",
        "Bearer \u00e9",
    ],
)
async def test_wrong_tokens(service: Served, shown: str) -> None:
    """Nothing but the token lets in, and what was shown is not told back."""
    reply = await service.ask("GET", "/ops/status", headers={"Authorization": shown})

    assert reply.status == 401
    assert b"planted" not in reply.body.lower()
    assert ADMIN_TOKEN not in str(reply.headers)


@pytest.mark.parametrize(
    "more",
    [
        f"X: {'a' * 2 * HEAD_BYTES}\r\n",
        "".join(f"X-{number}: a\r\n" for number in range(1_000)),
        f"{'a' * 2 * HEAD_BYTES}: x\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "A\x00B: c\r\n",
        " folded: x\r\n",
    ],
    ids=lambda more: str(more)[:24],
)
async def test_floods_and_nonsense_in_the_head(service: Served, more: str) -> None:
    """A head that is too long, has too many fields or contradicts itself is refused at once."""
    answer = await raw(service, head(more) + b"\r\n")

    status = int(answer[9:12] or b"400")
    assert 400 <= status < 500
    assert (await service.ask("GET", "/health/live")).status == 200


async def test_a_long_request_line(service: Served) -> None:
    """A path or query without end is refused at once."""
    answer = await raw(service, head(target=f"{WEBHOOK}?{'a' * 2 * HEAD_BYTES}") + b"\r\n")

    assert b" 4" in answer[8:10]


async def test_two_lengths_are_one_request(service: Served, redis: Redis) -> None:
    """What is hidden behind a length that a chunked body contradicts is no request of its own."""
    hidden = head(f"Content-Length: {len(BODY)}\r\n") + b"\r\n" + BODY
    both = head(f"Content-Length: {len(hidden) + 5}\r\nTransfer-Encoding: chunked\r\n")

    answer = await raw(service, both + b"\r\n0\r\n\r\n" + hidden)

    assert answer.count(b"HTTP/1.1 204") == 0
    assert await keys_in(redis) == set()


async def test_slow_and_silent_senders(service: Served) -> None:
    """A head that drips, a body that drips and a connection that says nothing are cut off."""
    body = head("Content-Length: 1000\r\n") + b"\r\n["

    async def drip(first: bytes, byte: bytes) -> float:
        began = time.monotonic()
        async with service.connection() as (reader, writer), asyncio.timeout(20):
            writer.write(first)
            reading = asyncio.create_task(read_all(reader))
            while not reading.done():
                if byte:
                    writer.write(byte)
                await asyncio.wait([reading], timeout=0.2)
        return time.monotonic() - began

    took = await asyncio.gather(drip(head("X: "), b"a"), drip(body, b" "), drip(b"", b""))

    assert took[0] < HEADER_READ_MS / 1000 + 2
    assert took[1] < 3
    assert took[2] < HEADER_READ_MS / 1000 + 2


async def test_many_slow_senders(service: Served, redis: Redis) -> None:
    """Five hundred connections that are in the middle of something keep nobody waiting."""
    async with AsyncExitStack() as stack:
        for number in range(500):
            _, writer = await stack.enter_async_context(service.connection())
            begun = head("Content-Length: 9\r\n") + b"\r\n[" if number % 2 else head("X: ")
            writer.write(begun)
        async with asyncio.timeout(2):
            reply = await service.deliver(1)

    assert reply.status == 204
    assert await marked(redis) == {1}


async def test_the_log_after_all_that(service: Served) -> None:
    """Nothing of all that was an error of ours, and no secret is in the log."""
    assert "request failed" not in service.log
    assert "Traceback" not in service.log
    assert SECRET not in service.log
    assert ADMIN_TOKEN not in service.log
