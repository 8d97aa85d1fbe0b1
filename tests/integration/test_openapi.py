"""The document that the service serves about itself: complete, and no request of it breaks us.

The requests are made up by schemathesis, which is no dependency of the tests: `make fuzz` installs
it. Without it the document is still looked at.
"""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from service.embedded.server import EmbeddedRedis
from tests.support.commands import CALLSTREAM
from tests.support.served import PUBLIC_URL, SECRET, WEBHOOK, Served, served, signed

pytestmark = pytest.mark.one_redis

SERVICE = (*CALLSTREAM, "service")
DOCUMENT = "/schemas/openapi.json"
TOKEN = "an-operators-token"
EXAMPLES = 40
SERVER_ERROR = 500
UNAVAILABLE = 503
UNWATCHED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    """A service on a Redis of its own, with every route that settings may add."""
    more = {
        "ADMIN_TOKEN": TOKEN,
        "HUBSPOT_CLIENT_ID": "app",
        "HUBSPOT_REDIRECT_URL": f"{PUBLIC_URL}/oauth/callback",
        "TOKEN_KEYS": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
        "OAUTH_ALLOWED_PORTALS": "*",
        "HUBSPOT_API_URL": "http://127.0.0.1:9",
        "TIMING_SCALE": "0.1",
    }
    with EmbeddedRedis() as redis, served(redis.url, command=SERVICE, **more) as service:
        yield service


async def test_document(service: Served) -> None:
    """It names every route, the front door too, and what each answers."""
    reply = await service.ask("GET", DOCUMENT)
    paths = cast("dict[str, dict[str, Any]]", reply.json["paths"])

    assert reply.headers["Content-Type"].startswith("application/")
    assert set(paths[WEBHOOK]["post"]["responses"]) >= {"204", "400", "401", "413", "503"}
    assert {"/health/live", "/health/ready", "/oauth/install", "/ops/backfills"} <= paths.keys()
    assert all(
        operation["responses"] and operation["summary"]
        for methods in paths.values()
        for operation in methods.values()
    )
    assert paths["/ops/backfills"]["post"]["security"] == [{"operator": []}]
    assert "security" not in paths["/health/live"]["get"]
    assert SECRET not in reply.body.decode()
    assert TOKEN not in reply.body.decode()


async def test_no_request_is_a_server_error(service: Served) -> None:
    """Whatever the document allows or forbids, by an operator or a stranger: never a 500."""
    schemathesis: Any = pytest.importorskip("schemathesis", reason="make fuzz installs it")
    requests: Any = pytest.importorskip("requests")
    document = (await service.ask("GET", DOCUMENT)).json
    broken: list[str] = []
    asked: set[str] = set()
    schema = schemathesis.openapi.from_dict(document)
    for found in schema.get_all_operations():
        operation = found.ok()

        @seed(1)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=UNWATCHED,
        )
        @given(case=operation.as_strategy())
        def one(case: Any) -> None:  # noqa: ANN401 - an untyped library
            url = f"http://127.0.0.1:{service.port}"
            headers = {"Authorization": f"Bearer {TOKEN}"}
            asked.add(case.path)
            request = requests.Request(**case.as_transport_kwargs(base_url=url, headers=headers))
            ready = request.prepare()
            if case.path == WEBHOOK:
                body = ready.body.encode() if isinstance(ready.body, str) else ready.body
                ready.headers.update(signed(body or b"", ready.path_url))
            with requests.Session() as session:
                answer = session.send(ready, timeout=20, allow_redirects=False)
            if answer.status_code >= SERVER_ERROR and answer.status_code != UNAVAILABLE:
                broken.append(f"{case.method} {case.formatted_path} {answer.status_code}")

        one()

    assert broken == []
    assert WEBHOOK in asked
    assert "request failed" not in service.log
