"""`POST /reconciliations`, below whatever router guards it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from redis.asyncio import Redis

from jobs.ledger.ledger import Ledger
from jobs.reconciliation.operate import Reconciling
from jobs.redis import connect
from jobs.timing import Timing
from service.operations.reconciliations import RECONCILING, Accepted, start_reconciliation
from service.problems import problem_details

pytestmark = pytest.mark.one_redis

PORTAL = 62515


def app_on(url: str, namespace: str, *, retries: int = 3) -> Litestar:
    """Return an application of this one route."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        async with connect(url, retries=retries) as redis:
            app.state[RECONCILING] = Reconciling(redis, namespace, Timing())
            yield

    return Litestar(
        [start_reconciliation],
        plugins=[problem_details()],
        lifespan=[lifespan],
        openapi_config=None,
    )


@pytest.fixture
async def client(
    redis: Redis, redis_url: str, namespace: str
) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """A client of the route, with one connected account."""
    await Ledger(redis, namespace, Timing()).connect(PORTAL)
    async with AsyncTestClient(app_on(redis_url, namespace)) as client:
        yield client


async def test_a_run_is_accepted(
    client: AsyncTestClient[Litestar], redis: Redis, namespace: str
) -> None:
    """202 with the id of the run to come, which is then asked for as wanted."""
    wanted = {"portal_id": PORTAL, "since": "2024-01-15T11:00:00Z"}
    answer = await client.post("/reconciliations", json=wanted)
    assert answer.status_code == 202
    run_id = msgspec.json.decode(answer.content, type=Accepted).id
    asked = (await Reconciling(redis, namespace, Timing()).store.standing(PORTAL)).asked
    assert asked is not None
    assert (asked.id, asked.since, asked.full) == (run_id, 1_705_316_400_000, False)


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"portal_id": 1}, 409),
        ({"portal_id": PORTAL, "since": "soon"}, 400),
        ({"portal_id": PORTAL, "since": "2999-01-01T00:00:00Z"}, 400),
        ({"portal_id": 0}, 400),
        ({"portal_id": PORTAL, "sinse": ""}, 400),
        ({}, 400),
    ],
)
async def test_what_cannot_be_done_is_a_problem(
    client: AsyncTestClient[Litestar], wanted: dict[str, object], status: int
) -> None:
    """Wrong requests get problem details of their own status."""
    answer = await client.post("/reconciliations", json=wanted)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_redis_that_is_away_is_unavailable(namespace: str) -> None:
    """503 and `Retry-After` while Redis does not answer."""
    app = app_on("redis://127.0.0.1:1", namespace, retries=0)
    async with AsyncTestClient(app) as client:
        answer = await client.post("/reconciliations", json={"portal_id": PORTAL})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
