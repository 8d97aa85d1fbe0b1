"""Signed bodies of whoever means harm, or of a HubSpot gone mad: a served process, a real Redis."""

import gzip
import json
import time
from collections.abc import Iterator, Mapping

import pytest
from redis.asyncio import Redis

from service.embedded.server import EmbeddedRedis
from service.front_door.json_elements import MOST_NOTIFICATIONS
from tests.support.attacking import head, raw
from tests.support.commands import CALLSTREAM
from tests.support.committing import marked
from tests.support.redis import keys_in
from tests.support.served import SECRET, WEBHOOK, Served, notification, served, signed

pytestmark = pytest.mark.one_redis

SERVICE = (*CALLSTREAM, "service")
BODY = json.dumps([notification(512)]).encode()
MAX_BODY = 1 << 24
DEAD = "tenant-1:calls:dead"


@pytest.fixture(scope="module")
def service(redis_server: EmbeddedRedis) -> Iterator[Served]:
    """A service on the shared Redis, as `callstream service` runs it."""
    with served(redis_server.url, command=SERVICE, TIMING_SCALE="0.3") as service:
        yield service


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP"])
async def test_packed_bodies(service: Served, redis: Redis, coding: str) -> None:
    """A packed body is refused by its head, signed or not: nothing is ever unpacked."""
    bomb = gzip.compress(b"[" + b" " * 10_000_000 + b"]")
    headers = {**signed(bomb), "Content-Encoding": coding}

    reply = await service.ask("POST", WEBHOOK, bomb, headers)

    assert reply.status == 415
    assert reply.headers["Accept-Encoding"] == "identity"
    assert await keys_in(redis) == set()


async def test_a_body_that_says_it_is_not_packed(service: Served, redis: Redis) -> None:
    """`identity` is no packing."""
    headers = {**signed(BODY), "Content-Encoding": "identity"}

    assert (await service.ask("POST", WEBHOOK, BODY, headers)).status == 204
    assert await marked(redis) == {512}


@pytest.mark.parametrize("announced", [True, False])
async def test_what_is_too_large_is_not_read(service: Served, announced: bool) -> None:  # noqa: FBT001 - a test's parameter
    """A body over the bound is refused before it is all there, and its connection closed."""
    if announced:
        sent = head(f"Content-Length: {MAX_BODY + 1}\r\n") + b"\r\n"
    else:
        sent = head("Transfer-Encoding: chunked\r\n") + b"\r\n"
        sent += (b"%x\r\n" % (MAX_BODY + 1)) + b" " * (MAX_BODY + 1)

    assert b" 413 " in (await raw(service, sent))[:16]


async def test_replays(service: Served, redis: Redis) -> None:
    """A delivery sent again marks what it marked already, and after five minutes it is refused."""
    headers = signed(BODY)
    for _ in range(5):
        assert (await service.ask("POST", WEBHOOK, BODY, headers)).status == 204

    assert await marked(redis) == {512}
    old = signed(BODY, skew_ms=-300_500)
    assert (await service.ask("POST", WEBHOOK, BODY, old)).status == 401


async def test_forgeries(service: Served, redis: Redis) -> None:
    """Good parts of other deliveries, put together, sign nothing."""
    other = json.dumps([notification(666)]).encode()
    now, then = signed(BODY), signed(BODY, skew_ms=-1_000)
    stamp = "X-HubSpot-Request-Timestamp"
    forged: list[tuple[bytes, Mapping[str, str]]] = [
        (other, now),
        (BODY, {**now, stamp: then[stamp]}),
        (BODY, {**now, "X-HubSpot-Signature-v3": now["X-HubSpot-Signature-v3"].lower()}),
        (BODY, {**now, "X-HubSpot-Signature-v3": f"{now['X-HubSpot-Signature-v3']}=="}),
        (BODY, signed(BODY, secret=SECRET[:-1])),
        (BODY, signed(BODY, secret="")),
    ]

    for body, headers in forged:
        assert (await service.ask("POST", WEBHOOK, body, headers)).status == 401
    assert await keys_in(redis) == set()


def said(**more: object) -> bytes:
    """Return a body with one notification that has these as well."""
    return json.dumps([{**notification(512), **more}]).encode()


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        (b"[" * MAX_BODY, (204, 0, 1)),
        (b'{"a":' * 3_000_000, (204, 0, 1)),
        (b"[" + b"1," * 8_000_000 + b"1]", (413, 0, 0)),
        (b"[" + b"{}," * MOST_NOTIFICATIONS + b"{}]", (413, 0, 0)),
        (b'"' + b"a" * (MAX_BODY - 2) + b'"', (400, 0, 0)),
        (b"[" + b" " * (MAX_BODY - 2) + b"]", (204, 0, 0)),
        (b"\\" * MAX_BODY, (400, 0, 0)),
        (b'["' + b"\\ud800" * 200_000 + b'"', (400, 0, 0)),
        (said(propertyValue="\\u0000" * 10), (204, 1, 0)),
        (said(deep=1).replace(b"1}]", b"[" * 400 + b"]" * 400 + b"}]"), (204, 1, 0)),
        (said(n=1).replace(b'"n": 1', b'"n": 1e999999'), (204, 1, 0)),
        (said(n=1).replace(b'"n": 1', b'"n": ' + b"9" * 100_000), (204, 1, 0)),
        (said(objectId=2**63), (204, 0, 1)),
        (said(objectId=-1), (204, 0, 1)),
        (said(occurredAt=2**70), (204, 0, 1)),
        (BODY.replace(b'"objectId": 512', b'"objectId": 7, "objectId": 512'), (204, 1, 0)),
        (b"\xff\xfe[\x00]\x00", (400, 0, 0)),
        (b"\xef\xbb\xbf[]", (400, 0, 0)),
        (BODY.replace(b"CRM_UI", b"\xed\xa0\x80"), (204, 0, 1)),
        (BODY.replace(b"CRM_UI", b"\\ud800"), (204, 1, 0)),
    ],
    ids=lambda value: f"{bytes(value[:20])!r}" if isinstance(value, bytes) else None,
)
async def test_deep_huge_and_odd_json(
    service: Served, redis: Redis, body: bytes, becomes: tuple[int, int, int]
) -> None:
    """Even signed, no JSON breaks the service or holds it up: status, calls marked, set aside."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in signed(body).items())
    began = time.monotonic()
    length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    answer = await raw(service, head(fields + length) + body)

    assert time.monotonic() - began < 8
    found = int(answer[9:12]), len(await marked(redis)), await redis.xlen(DEAD)
    assert found == becomes
    assert (await service.ask("GET", "/health/live")).status == 200


async def test_the_log_after_all_that(service: Served) -> None:
    """Nothing of all that was an error of ours, and no secret is in the log."""
    assert "request failed" not in service.log
    assert "Traceback" not in service.log
    assert SECRET not in service.log
