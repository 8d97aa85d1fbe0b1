"""The front door as HubSpot meets it: a served process, real signatures, a real Redis."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from redis.asyncio import Redis

from service.embedded.server import EmbeddedRedis
from tests.simulator.signatures import sign_v1
from tests.support.committing import marked
from tests.support.redis import keys_in
from tests.support.served import (
    SECRET,
    WEBHOOK,
    Reply,
    Served,
    notification,
    served,
    signed,
)

pytestmark = pytest.mark.one_redis

BODY = json.dumps([notification(512)]).encode()
MAX_BODY = 1 << 18


@pytest.fixture(scope="module")
def service(redis_server: EmbeddedRedis) -> Iterator[Served]:
    """A service on the shared Redis."""
    with served(redis_server.url, MAX_BODY=str(MAX_BODY), TIMING_SCALE="0.3") as service:
        yield service


def is_problem(reply: Reply, status: int) -> bool:
    """Whether the answer is that error as problem details."""
    problem = reply.json
    return (
        reply.status == status
        and reply.headers["Content-Type"] == "application/problem+json"
        and problem["status"] == status
        and bool(problem["title"])
        and bool(problem["detail"])
    )


async def test_accepted(service: Served, redis: Redis) -> None:
    """`204` without a body, and by then every call of the batch is marked."""
    reply = await service.deliver(*range(1, 101))

    assert reply.status == 204
    assert reply.body == b""
    assert await marked(redis) == set(range(1, 101))


async def test_malformed_one_in_a_good_batch(service: Served, redis: Redis) -> None:
    """`204`: the good ones are marked, the malformed one is a dead letter."""
    body = json.dumps([notification(1), {"portalId": 1}, notification(2)]).encode()

    reply = await service.ask("POST", WEBHOOK, body, signed(body))

    assert reply.status == 204
    assert await marked(redis) == {1, 2}
    assert await redis.xlen("tenant-1:calls:dead") == 1


@pytest.mark.parametrize(
    ("how", "more"),
    [
        ({"secret": "another"}, {}),
        ({"skew_ms": -305_000}, {}),
        ({"skew_ms": 305_000}, {}),
        ({"body": BODY + b" "}, {}),
        ({"target": f"{WEBHOOK}?a=1"}, {}),
        ({"origin": "http://hooks.example.com"}, {}),
        ({}, {"X-HubSpot-Request-Timestamp": "soon"}),
        ({}, {"X-HubSpot-Request-Timestamp": ""}),
        ({}, {"X-HubSpot-Signature-v3": ""}),
    ],
    ids=str,
)
async def test_refused(
    service: Served, redis: Redis, how: dict[str, Any], more: Mapping[str, str]
) -> None:
    """What HubSpot did not sign for this URL, now, gets `401` and leaves a count in Redis only."""
    sent: dict[str, Any] = {"body": BODY}

    reply = await service.ask("POST", WEBHOOK, BODY, {**signed(**(sent | how)), **more})

    assert is_problem(reply, 401)
    assert "WWW-Authenticate" in reply.headers
    assert await keys_in(redis) <= {b"tenant-1:door:refused"}


async def test_unread_before_it_is_verified(service: Served) -> None:
    """Nonsense without a signature is refused for the signature, not for being nonsense."""
    assert is_problem(await service.ask("POST", WEBHOOK, b"nonsense"), 401)


@pytest.mark.parametrize(
    "target",
    [
        f"{WEBHOOK}?tenant=a%2Fb&x=%20%25%2b&y=%3a",
        f"{WEBHOOK}/",
        "/webhooks/%68ubspot",
    ],
)
async def test_target_as_received(service: Served, target: str) -> None:
    """The signature covers path and query as they were sent, but for HubSpot's listed escapes."""
    assert (await service.ask("POST", target, BODY, signed(BODY, target))).status == 204


async def test_proxy_headers_say_nothing(service: Served) -> None:
    """What a proxy, or a forger, says about host and scheme moves no signature."""
    lies = {
        "Host": "evil.example.com",
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Proto": "http",
        "Forwarded": "host=evil.example.com;proto=http",
    }
    forged = {**signed(BODY, origin="http://evil.example.com"), **lies}

    assert (await service.ask("POST", WEBHOOK, BODY, {**signed(BODY), **lies})).status == 204
    assert (await service.ask("POST", WEBHOOK, BODY, forged)).status == 401


@pytest.mark.parametrize("body", [b"", b"nope", b'"text"', b"12", b"[1", b"null"])
async def test_unreadable(service: Served, redis: Redis, body: bytes) -> None:
    """A signed body that is not JSON, or neither array nor object, gets `400`."""
    assert is_problem(await service.ask("POST", WEBHOOK, body, signed(body)), 400)
    assert await keys_in(redis) == set()


async def test_too_large(service: Served) -> None:
    """A body over the bound gets `413`, whether it announces its length or not."""
    body = b"x" * (MAX_BODY + 1)
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert is_problem(await service.ask("POST", WEBHOOK, body, signed(body)), 413)
    async with service.connection() as (reader, writer):
        writer.write(head.encode() + f"{len(body):x}\r\n".encode() + body)
        assert b" 413 " in await reader.readline()


async def test_as_large_as_allowed(service: Served) -> None:
    """A body of exactly the bound is read."""
    body = BODY.ljust(MAX_BODY)

    assert (await service.ask("POST", WEBHOOK, body, signed(body))).status == 204


async def test_a_body_that_stops_coming(service: Served) -> None:
    """A half-sent body gets `408` in time, and one whose sender leaves does no harm."""
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[".encode()
    async with service.connection() as (_, writer):
        writer.write(head)
        await writer.drain()
    async with service.connection() as (reader, writer):
        writer.write(head)
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()

    assert (await service.deliver(1)).status == 204


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", WEBHOOK, 405),
        ("DELETE", WEBHOOK, 405),
        ("POST", "/health/live", 405),
        ("GET", "/", 404),
        ("POST", "/webhooks/hubspot/x", 404),
    ],
)
async def test_nothing_there(service: Served, method: str, target: str, status: int) -> None:
    """Other paths and methods get problem details too."""
    assert is_problem(await service.ask(method, target), status)


async def test_healthy(service: Served) -> None:
    """Both probes say so."""
    for probe in ("live", "ready"):
        reply = await service.ask("GET", f"/health/{probe}")
        assert reply.status == 200
        assert reply.json == {"status": "up", "down": {}}


async def test_refusals_are_logged(redis_url: str) -> None:
    """The log tells why, once for many, and neither secret nor body."""
    with served(redis_url) as service:
        for _ in range(20):
            await service.ask("POST", WEBHOOK, BODY, signed(BODY, skew_ms=-400_000))
        log = service.log

    lines = [json.loads(line) for line in log.splitlines() if "signature refused" in line]
    assert len(lines) == 1
    assert lines[0]["reason"] == "stale-timestamp"
    assert abs(lines[0]["skew_ms"] + 400_000) < 5_000
    assert SECRET not in log
    assert "propertyChange" not in log
    assert "objectId" not in log


async def test_rotation_and_older_versions(redis_url: str) -> None:
    """Every live secret is good, and v1 and v2 are where they are asked for."""
    older = {"X-HubSpot-Signature": "", "X-HubSpot-Signature-Version": "v1"}
    with served(redis_url, HUBSPOT_CLIENT_SECRET="new,old", SIGNATURE_VERSIONS="v3,v1") as service:
        for secret, status in (("new", 204), ("old", 204), ("older", 401)):
            reply = await service.ask("POST", WEBHOOK, BODY, signed(BODY, secret=secret))
            assert reply.status == status
            v1 = {**older, "X-HubSpot-Signature": sign_v1(secret, BODY)}
            assert (await service.ask("POST", WEBHOOK, BODY, v1)).status == status
