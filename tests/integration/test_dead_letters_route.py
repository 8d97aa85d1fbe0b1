"""`/ops/dead-letters`, as served."""

from collections.abc import Iterator
from typing import cast

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.deadletters.letters import Letter
from jobs.ledger.deadletters import DeadLetter
from jobs.redis import command
from service.embedded.server import EmbeddedRedis
from tests.support.letters import SECRET, all_of, box_of, bury, letter
from tests.support.served import Reply, Served, served

pytestmark = pytest.mark.one_redis

TOKEN = "an-operator-s-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**BEARER, "Content-Type": "application/json"}
PATH = "/ops/dead-letters"
ROUTES = [
    ("GET", PATH),
    ("GET", f"{PATH}/1-0"),
    ("DELETE", f"{PATH}/1-0"),
    ("POST", f"{PATH}/replay"),
]


@pytest.fixture(scope="module")
def service(redis_server: EmbeddedRedis) -> Iterator[Served]:
    """A service with a token for operators."""
    with served(redis_server.url, ADMIN_TOKEN=TOKEN) as service:
        yield service


async def listed(service: Served, query: str = "") -> list[Letter]:
    """Return what the list shows."""
    reply = await service.ask("GET", f"{PATH}{query}", headers=BEARER)
    assert reply.status == 200, reply.body
    assert SECRET not in reply.body.decode()
    return msgspec.convert(reply.json["letters"], list[Letter])


def is_problem(reply: Reply, status: int) -> bool:
    """Whether the answer is that error as problem details."""
    return reply.status == status and reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_gets_in_without_the_token(
    service: Served, redis: Redis, method: str, path: str
) -> None:
    """Without the token every route answers 401 and does nothing."""
    await bury(redis, "tenant-1", letter("512"))
    body = b'{"all": true}' if method == "POST" else None
    headers = {"Content-Type": "application/json"} if body else {}
    assert is_problem(await service.ask(method, path, body, headers), 401)
    assert await redis.xlen("tenant-1:calls:dead") == 1


async def test_a_letter_s_life(service: Served, redis: Redis) -> None:
    """Listed, looked at, replayed, and gone; replayed again, it is told to be gone."""
    await bury(redis, "tenant-1", letter("512"), letter("513", reason="x"))
    (found,) = await listed(service, "?reason=refused&portal_id=1&since=1h&limit=5")
    assert found.call_id == "512"
    one = await service.ask("GET", f"{PATH}/{found.id}", headers=BEARER)
    assert (one.status, one.json["reason"], one.json["notification"]) == (200, "refused", None)
    assert SECRET not in one.body.decode()
    order = msgspec.json.encode({"ids": [found.id]})
    first = await service.ask("POST", f"{PATH}/replay", order, JSON)
    assert (first.status, first.json["replayed"], first.json["gone"]) == (200, 1, 0)
    again = await service.ask("POST", f"{PATH}/replay", order, JSON)
    assert (again.status, again.json["replayed"], again.json["gone"]) == (200, 0, 1)
    due = await command(redis, "ZRANGE", "tenant-1:ledger:1:due", 0, -1)
    assert cast("list[bytes]", due) == [b"512"]
    assert is_problem(await service.ask("GET", f"{PATH}/{found.id}", headers=BEARER), 404)
    (other,) = await listed(service)
    dropped = await service.ask("DELETE", f"{PATH}/{other.id}", headers=BEARER)
    assert dropped.status == 204
    assert is_problem(await service.ask("DELETE", f"{PATH}/{other.id}", headers=BEARER), 404)


async def test_a_notification_is_shown_without_values(service: Served, redis: Redis) -> None:
    """Of a malformed notification its form is shown, which has nothing that was said."""
    raw = msgspec.json.encode({"portalId": 1, "objectId": "x y", "propertyValue": SECRET})
    malformed = DeadLetter(reason="malformed-notification", error="x", raw=raw, portal_id=1)
    await bury(redis, "tenant-1", malformed)
    (found,) = await listed(service)
    reply = await service.ask("GET", f"{PATH}/{found.id}", headers=BEARER)
    assert msgspec.json.decode(cast("str", reply.json["notification"])) == {
        "portalId": 1,
        "objectId": "<text of 3>",
        "propertyValue": f"<text of {len(SECRET)}>",
    }


async def test_pages_and_bulk(service: Served, redis: Redis) -> None:
    """Pages lead on by `after`; a replay of all that meets a wish leaves the rest."""
    await bury(redis, "tenant-1", *(letter(str(n), portal_id=1 + n % 2) for n in range(1, 6)))
    page = await service.ask("GET", f"{PATH}?limit=2", headers=BEARER)
    rest = await listed(service, f"?after={page.json['after']}")
    assert [one.call_id for one in rest] == ["3", "2", "1"]
    done = await service.ask("POST", f"{PATH}/replay", b'{"portal_id": 2}', JSON)
    assert done.json == {"replayed": 3, "left": 0, "gone": 0, "more": False}
    assert {one.portal_id for one in await all_of(box_of(redis, "tenant-1"))} == {1}
    everything = await service.ask("POST", f"{PATH}/replay", b'{"all": true}', JSON)
    assert everything.json["replayed"] == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"ids": ["x"]}',
        b'{"ids": ["1-0"], "all": true}',
        b'{"al": true}',
        b'{"since": "yesterday"}',
        b'{"portal_id": 0}',
    ],
)
async def test_orders_that_make_no_sense(service: Served, redis: Redis, body: bytes) -> None:
    """An order that does not say what is meant is a 400, and nothing is replayed."""
    await bury(redis, "tenant-1", letter("512"))
    assert is_problem(await service.ask("POST", f"{PATH}/replay", body, JSON), 400)
    assert await redis.xlen("tenant-1:calls:dead") == 1


@pytest.mark.parametrize(
    "query", ["?limit=0", "?limit=x", "?after=x", "?since=yesterday", "?portal_id=-1"]
)
async def test_lists_that_make_no_sense(service: Served, redis: Redis, query: str) -> None:
    """A query that does not say what is meant is a 400."""
    del redis
    assert is_problem(await service.ask("GET", f"{PATH}{query}", headers=BEARER), 400)


@pytest.mark.parametrize("letter_id", ["nonsense", "1-0", "%2e%2e", "-", "+"])
async def test_unknown_letters(service: Served, redis: Redis, letter_id: str) -> None:
    """An id that names no letter is a 404, whatever it is."""
    await bury(redis, "tenant-1", letter("512"))
    for method in ("GET", "DELETE"):
        reply = await service.ask(method, f"{PATH}/{letter_id}", headers=BEARER)
        assert is_problem(reply, 404)
    assert await redis.xlen("tenant-1:calls:dead") == 1


async def test_a_redis_that_is_away(redis_server: EmbeddedRedis) -> None:
    """While Redis does not answer, neither can the routes: 503, and when to come again."""
    with EmbeddedRedis(redis_server.binary) as server, served(server.url, ADMIN_TOKEN=TOKEN) as it:
        server.kill()
        reply = await it.ask("GET", PATH, headers=BEARER)
        assert is_problem(reply, 503)
        assert int(reply.headers["Retry-After"]) > 0
