"""The operators' routes, as served: who gets in, and what they can do with backfills."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.ledger.ledger import Ledger
from jobs.redis import command
from jobs.timing import Timing
from service.embedded.server import EmbeddedRedis
from service.figures import Figures
from tests.support.commands import CALLSTREAM, run_command
from tests.support.redis import keys_in
from tests.support.served import Reply, Served, served

pytestmark = pytest.mark.one_redis

TOKEN = "an-operator-s-token"
PORTAL = 62515
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**BEARER, "Content-Type": "application/json"}
ORDER = b'{"portal_id": 62515}'
ROUTES = [
    ("POST", "/ops/backfills"),
    ("GET", "/ops/backfills/62515-live-1"),
    ("DELETE", "/ops/backfills/62515-live-1"),
    ("POST", "/ops/backfills/62515-live-1/pause"),
    ("POST", "/ops/backfills/62515-live-1/resume"),
    ("POST", "/ops/reconciliations"),
    ("GET", "/ops/status"),
]


@pytest.fixture(scope="module")
def service(redis_server: EmbeddedRedis) -> Iterator[Served]:
    """A service with a token for operators."""
    with served(redis_server.url, ADMIN_TOKEN=TOKEN) as service:
        yield service


@pytest.fixture
async def connected(redis: Redis) -> None:
    """A connected account."""
    await Ledger(redis, "tenant-1", Timing()).connect(PORTAL)


def is_problem(reply: Reply, status: int) -> bool:
    """Whether the answer is that error as problem details."""
    return (
        reply.status == status
        and reply.headers["Content-Type"] == "application/problem+json"
        and reply.json["status"] == status
    )


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer \xfc\xe4",
    ],
)
async def test_nobody_gets_in_without_the_token(
    service: Served, redis: Redis, method: str, path: str, shown: str | None
) -> None:
    """Without the token every route answers 401, whatever is asked of it, and does nothing."""
    headers = {} if shown is None else {"Authorization": shown}
    reply = await service.ask(method, path, ORDER if method == "POST" else None, headers)
    assert is_problem(reply, 401)
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in reply.body.decode()
    assert await keys_in(redis) == set()


async def test_without_a_token_in_the_settings_nobody_gets_in(redis_url: str) -> None:
    """A service without ADMIN_TOKEN answers 403 to everybody."""
    with served(redis_url) as service:
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
            reply = await service.ask("POST", "/ops/backfills", ORDER, headers)
            assert is_problem(reply, 403)
            assert is_problem(await service.ask("GET", "/ops/status", headers=headers), 403)


@pytest.mark.usefixtures("connected")
async def test_a_backfill_s_life(service: Served) -> None:
    """Start, start again, look, pause, resume, cancel: each answers what the run then is."""
    started = await service.ask("POST", "/ops/backfills", ORDER, JSON)
    run_id = str(started.json["id"])
    assert started.status == 202
    assert started.headers["Location"] == f"/ops/backfills/{run_id}"
    again = await service.ask("POST", "/ops/backfills", ORDER, JSON)
    assert (again.status, again.json) == (202, started.json)
    path = f"/ops/backfills/{run_id}"
    seen = await service.ask("GET", path, headers=BEARER)
    assert seen.status == 200
    assert seen.json["state"] == "queued"
    assert seen.json["saw_end"] is False
    for order, state in (("pause", "paused"), ("pause", "paused"), ("resume", "queued")):
        reply = await service.ask("POST", f"{path}/{order}", headers=BEARER)
        assert (reply.status, reply.json["state"]) == (200, state)
    refused = await service.ask("POST", f"{path}/resume", headers=BEARER)
    assert is_problem(refused, 409)
    gone = await service.ask("DELETE", path, headers=BEARER)
    assert (gone.status, gone.json["state"]) == (200, "cancelled")
    assert is_problem(await service.ask("POST", f"{path}/pause", headers=BEARER), 409)


@pytest.mark.usefixtures("connected")
async def test_archived_calls_and_a_ceiling(service: Served) -> None:
    """The archived calls are a run of their own; a ceiling is kept with the run."""
    body = b'{"portal_id": 62515, "archived": true, "ceiling": 40}'
    started = await service.ask("POST", "/ops/backfills", body, JSON)
    run = await service.ask("GET", f"/ops/backfills/{started.json['id']}", headers=BEARER)
    assert (run.json["reads"], run.json["ceiling"]) == ("archived", 40)
    live = await service.ask("POST", "/ops/backfills", ORDER, JSON)
    assert live.json["id"] != started.json["id"]


@pytest.mark.parametrize("run_id", ["62515-live-1", "nonsense", "1-dead-1", "%2e%2e"])
async def test_unknown_runs(service: Served, redis: Redis, run_id: str) -> None:
    """An id that names no run is a 404, on every route."""
    del redis
    for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
        reply = await service.ask(method, f"/ops/backfills/{run_id}{suffix}", headers=BEARER)
        assert is_problem(reply, 404)


async def test_accounts_that_are_not_connected(service: Served, redis: Redis) -> None:
    """Nothing can be read of an account that is not connected: 409."""
    reply = await service.ask("POST", "/ops/backfills", b'{"portal_id": 7}', JSON)
    assert is_problem(reply, 409)
    assert "not connected" in str(reply.json["detail"])
    assert await command(redis, "EXISTS", "tenant-1:backfills") == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"portal_id": "62515x"}',
        b'{"portal_id": 0}',
        b'{"portal_id": 62515, "archived": "maybe"}',
        b'{"portal_id": 62515, "ceiling": 0}',
        b'{"portal_id": 62515, "archive": true}',
    ],
)
async def test_orders_that_make_no_sense(service: Served, body: bytes) -> None:
    """A body that is no order is a 400 that says where it is wrong."""
    assert is_problem(await service.ask("POST", "/ops/backfills", body, JSON), 400)


async def test_a_redis_that_is_away(redis_server: EmbeddedRedis) -> None:
    """While Redis does not answer, neither can the routes: 503, and when to come again."""
    with EmbeddedRedis(redis_server.binary) as server, served(server.url, ADMIN_TOKEN=TOKEN) as it:
        server.kill()
        reply = await it.ask("GET", "/ops/backfills/62515-live-1", headers=BEARER)
        assert is_problem(reply, 503)
        assert int(reply.headers["Retry-After"]) > 0
        reply = await it.ask("GET", "/ops/status", headers=BEARER)
        assert is_problem(reply, 503)
        assert int(reply.headers["Retry-After"]) > 0


@pytest.mark.usefixtures("connected")
async def test_reconciliation_is_accepted(service: Served) -> None:
    """Asking for a reconciliation of a connected account answers 202 with the id of its run."""
    reply = await service.ask("POST", "/ops/reconciliations", ORDER, JSON)
    assert reply.status == 202
    assert reply.json["id"]


@pytest.mark.usefixtures("connected")
async def test_status_is_what_the_command_prints(
    service: Served, redis_url: str, tmp_path: Path
) -> None:
    """`GET /ops/status` answers what `callstream status --json` prints, of all accounts or one."""
    await service.ask("POST", "/ops/backfills", ORDER, JSON)
    await service.ask("POST", "/ops/reconciliations", ORDER, JSON)
    environ = {"REDIS_URL": redis_url, "NAMESPACE": "tenant-1"}
    for query, options in (("", []), (f"?portal_id={PORTAL}", [f"--portal={PORTAL}"])):
        told = run_command([*CALLSTREAM, "status", "--json", *options], tmp_path, **environ)
        reply = await service.ask("GET", f"/ops/status{query}", headers=BEARER)
        assert reply.status == 200
        answered, printed = (
            msgspec.json.decode(raw, type=Figures) for raw in (reply.body, told.stdout)
        )
        assert answered == msgspec.structs.replace(printed, at=answered.at)
        assert [one.account.portal_id for one in answered.accounts] == [PORTAL]
        assert [run.state for run in answered.accounts[0].backfills] == ["queued"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("portal_id=5", 404),
        ("portal_id=0", 400),
        ("portal_id=x", 400),
        ("most=0", 400),
        ("most=1001", 400),
    ],
)
async def test_status_of_nonsense(service: Served, redis: Redis, query: str, status: int) -> None:
    """An unknown account is a 404, and what makes no sense a 400."""
    del redis
    reply = await service.ask("GET", f"/ops/status?{query}", headers=BEARER)
    assert is_problem(reply, status)
