"""Whatever an answer says, no token, secret or signed URL of ours is sent to another host."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from jobs.config.values import Secret
from jobs.hubspot.errors import HubSpotError
from jobs.hubspot.oauth import OAuth
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Request, Transport, open_session
from jobs.journal.api import JournalApi
from jobs.journal.files import BadFileError, Files
from jobs.journal.token import AppToken
from jobs.timing import Timing
from tests.checks import ROOT

TIMING = Timing(request_timeout_ms=2_000)
TOKEN = Secret("planted-token")
CLIENT_ID, CLIENT_SECRET = "app", Secret("planted-secret")
OUTWARD = {
    "jobs/hubspot/transport.py",
    "jobs/journal/files.py",
    "jobs/journal/opening.py",
    "service/cli/running/watch.py",
    "service/doctor/public_url.py",
}
"""The modules that can make HTTP requests: to HubSpot, `callstream run` to its own service, the
doctor to PUBLIC_URL; the last two without a token."""
CLIENT = re.compile(
    r"^\s*(?:import|from) (?:aiohttp|httpx|requests|urllib\.request|http\.client)", re.MULTILINE
)


class Hosts:
    """Two hosts: one that is HubSpot to us, and one that must never hear of us."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.heard: list[str] = []
        """What the stranger was asked."""
        self.asked: list[str] = []
        """What HubSpot was asked."""
        self.answer: Callable[[str], web.Response] = lambda _elsewhere: web.Response()
        """Makes HubSpot's answer, given the stranger's URL."""
        self.hubspot = self.stranger = ""

    async def open(self) -> None:
        """Start both."""

        async def strange(request: web.BaseRequest) -> web.Response:
            self.heard.append(f"{request.method} {request.raw_path} {dict(request.headers)}")
            return web.Response()

        async def own(request: web.BaseRequest) -> web.Response:
            self.asked.append(f"{request.method} {request.path}")
            return self.answer(self.stranger)

        stranger = await self._stack.enter_async_context(RawTestServer(strange))
        hubspot = await self._stack.enter_async_context(RawTestServer(own))
        self.stranger, self.hubspot = str(stranger.make_url("/")), str(hubspot.make_url(""))


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    """Both hosts, running."""
    async with AsyncExitStack() as stack:
        made = Hosts(stack)
        await made.open()
        yield made


async def ask_everything(hosts: Hosts) -> int:
    """Make every kind of request that we make; return how many."""
    async with open_session() as session:
        transport, paths = Transport(session, hosts.hubspot, TIMING), Paths("2026-03")
        oauth = OAuth(
            transport,
            paths,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_url="https://hooks.example.com/oauth/callback",
        )
        app = AppToken(transport, paths, TIMING, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        files = Files(session, hosts.hubspot, TIMING)
        requests: list[Awaitable[object]] = [
            transport.send(Request("GET", "/crm/v3/objects/calls"), TOKEN),
            transport.send(Request("POST", "/crm/v3/objects/calls/batch/read", body=b"{}"), TOKEN),
            transport.send(Request("DELETE", "/webhooks/v3/1"), TOKEN),
            oauth.renew(Secret("planted-refresh")),
            oauth.redeem(Secret("planted-code"), Secret("planted-verifier")),
            JournalApi(transport, app).following(""),
            files.fetch(f"{hosts.hubspot}/file.json?sign=planted"),
        ]
        for request in requests:
            try:
                await request
            except (HubSpotError, BadFileError):
                continue
        return len(requests)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("header", ["Location", "Refresh", "Content-Location", "Link"])
async def test_redirects(hosts: Hosts, status: int, header: str) -> None:
    """No redirect is followed, of no kind of request."""
    values = {"Refresh": "0; url={}", "Link": "<{}>; rel=next"}

    def answer(elsewhere: str) -> web.Response:
        value = values.get(header, "{}").format(elsewhere)
        return web.Response(status=status, headers={header: value})

    hosts.answer = answer

    assert await ask_everything(hosts) == len(hosts.asked)
    assert hosts.heard == []


async def test_links_in_answers(hosts: Hosts) -> None:
    """Neither a page's link nor any other URL in an answer is asked for."""

    def answer(elsewhere: str) -> web.Response:
        paging = {"next": {"after": elsewhere, "link": elsewhere}}
        said = {"results": [], "paging": paging, "url": elsewhere, "currentOffset": elsewhere}
        granted = {"access_token": "planted", "refresh_token": "planted", "expires_in": 1800}
        body = msgspec.json.encode(said | granted | {"api_domain": elsewhere, "links": [elsewhere]})
        return web.Response(body=body, content_type="application/json")

    hosts.answer = answer

    await ask_everything(hosts)
    assert hosts.heard == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
async def test_proxies_of_the_environment(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A proxy that the environment happens to name gets nothing to see."""
    monkeypatch.setenv(name, hosts.stranger)

    await ask_everything(hosts)
    assert hosts.heard == []
    assert hosts.asked


async def test_another_host_of_the_journal(hosts: Hosts) -> None:
    """A file that HubSpot says lies elsewhere is not fetched."""
    async with open_session() as session:
        files = Files(session, hosts.hubspot, TIMING)
        with pytest.raises(BadFileError, match="host"):
            await files.fetch(f"{hosts.stranger}file.json?sign=planted")
    assert hosts.heard == []


def test_who_speaks_to_others() -> None:
    """No other module of ours makes HTTP requests."""
    speaking = {
        str(path.relative_to(ROOT))
        for folder in ("jobs", "service", "client")
        for path in (ROOT / folder).rglob("*.py")
        if CLIENT.search(path.read_text())
    }
    assert speaking == OUTWARD
