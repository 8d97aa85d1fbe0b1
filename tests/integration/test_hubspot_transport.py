"""One request on the wire: bounded, sent to one host only, and silent about its token."""

import asyncio
import contextlib
import gzip
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from aiohttp import web

from jobs.config.values import Secret
from jobs.hubspot.errors import HubSpotError, PortalFailure, RecordRefused
from jobs.hubspot.transport import Answer, Request, Transport, open_session
from jobs.timing import Timing

TOKEN = Secret("pat-na1-planted-token")
QUICK = Timing().scaled(0.03)
"""A request may take 300 ms."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def answering(handler: Handler) -> AsyncGenerator[str]:
    """Serve `handler` until the block ends; yields the origin."""
    server = web.Server(handler)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def send(url: str, request: Request, *, max_answer: int = 1_000_000) -> Answer:
    """Send one request in a session of its own."""
    async with open_session() as session:
        return await Transport(session, url, QUICK, max_answer=max_answer).send(request, TOKEN)


async def failing(url: str, request: Request) -> HubSpotError:
    """Send one request that fails, and return how."""
    try:
        await send(url, request)
    except HubSpotError as error:
        return error
    pytest.fail("the request succeeded")


LIST = Request("GET", "/crm/v3/objects/calls")


async def test_a_request_and_its_answer() -> None:
    """Method, path, query, body and token go out; status, headers, body and time come back."""
    seen: list[tuple[str, str, str, bytes]] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        token = request.headers["Authorization"]
        seen.append((request.method, request.raw_path, token, await request.read()))
        await asyncio.sleep(0.02)
        return web.Response(status=207, body=b"{}", headers={"X-HubSpot-RateLimit-Max": "100"})

    async with answering(handler) as url:
        request = Request("POST", "/crm/x/read", [("archived", "true")], b'{"inputs":[]}')
        answer = await send(url, request)

    assert seen == [
        ("POST", "/crm/x/read?archived=true", f"Bearer {TOKEN.reveal()}", b'{"inputs":[]}')
    ]
    assert (answer.status, answer.body) == (207, b"{}")
    assert answer.headers["x-hubspot-ratelimit-max"] == "100"
    assert 20 <= answer.elapsed_ms < 300


async def test_a_cursor_goes_back_as_it_came() -> None:
    """An opaque cursor is quoted once: the server decodes what it had sent, percent signs too."""
    cursor = "NTI1Cg%3D%3D&after=x +/="
    seen: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.query["after"])
        return web.Response()

    async with answering(handler) as url:
        await send(url, Request("GET", "/list", [("after", cursor)]))

    assert seen == [cursor]


async def test_an_api_behind_a_path() -> None:
    """The API may live below a path of its host, as behind a gateway."""
    seen: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.raw_path)
        return web.Response()

    async with answering(handler) as url:
        await send(f"{url}/hubspot/", LIST)

    assert seen == ["/hubspot/crm/v3/objects/calls"]


async def test_redirects_are_not_followed() -> None:
    """The token never goes to another host, whatever the answer says."""
    elsewhere: list[str] = []

    async def stranger(request: web.BaseRequest) -> web.StreamResponse:
        elsewhere.append(request.raw_path)
        return web.Response()

    async with answering(stranger) as other:

        async def handler(_request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": other})

        async with answering(handler) as url:
            answer = await send(url, LIST)

    assert answer.status == 302
    assert elsewhere == []


async def test_cookies_are_not_kept() -> None:
    """Requests of different accounts share a session and nothing else."""
    cookies: list[str | None] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "__cf_bm=1; Path=/"})

    async with answering(handler) as url, open_session() as session:
        transport = Transport(session, url, QUICK)
        await transport.send(LIST, TOKEN)
        await transport.send(LIST, TOKEN)

    assert cookies == [None, None]


async def test_a_hanging_server_times_out() -> None:
    """Without an answer the request ends after its time."""

    async def handler(_request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with answering(handler) as url:
        began = asyncio.get_running_loop().time()
        error = await failing(url, LIST)
        took = asyncio.get_running_loop().time() - began

    assert isinstance(error, PortalFailure)
    assert error.kind == "timeout"
    assert 0.3 <= took < 2


async def test_a_dripping_answer_times_out() -> None:
    """A body that comes byte by byte does not keep the request alive."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(300):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    async with answering(handler) as url:
        error = await failing(url, LIST)

    assert isinstance(error, PortalFailure)
    assert error.kind == "timeout"


async def test_a_cut_connection() -> None:
    """An answer that breaks off is no answer."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with answering(handler) as url:
        error = await failing(url, LIST)

    assert isinstance(error, PortalFailure)
    assert error.kind == "transport"


async def test_nobody_listens() -> None:
    """A refused connection is a failure of the way there."""
    async with answering(lambda _request: asyncio.sleep(0, web.Response())) as url:
        pass

    error = await failing(url, LIST)

    assert isinstance(error, PortalFailure)
    assert str(error) == "transport: ClientConnectorError"


@pytest.mark.parametrize("packed", [False, True])
async def test_an_endless_answer_is_refused(packed: bool) -> None:  # noqa: FBT001 - a test's parameter
    """An answer is read up to a bound, counted after decompression, and less must be asked."""
    body = b" " * 2_000_000

    async def handler(_request: web.BaseRequest) -> web.StreamResponse:
        if packed:
            return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
        return web.Response(body=body)

    async with answering(handler) as url:
        error = await failing(url, LIST)
        answer = await send(url, LIST, max_answer=2_000_000)

    assert isinstance(error, RecordRefused)
    assert error.category == "ANSWER_TOO_LONG"
    assert len(answer.body) == 2_000_000


@pytest.mark.parametrize("what", ["refused", "cut", "endless", "hanging"])
async def test_a_failure_says_nothing_of_the_request(what: str) -> None:
    """Neither token nor query is in a failure's words, causes or traceback, locals included."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if what == "endless":
            return web.Response(body=b" " * 2_000_000)
        if what == "hanging":
            await asyncio.sleep(30)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(answering(handler))
        if what == "refused":
            await stack.aclose()
        error = await failing(url, Request("GET", "/list", [("q", "+15550100")]))

    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert error.__context__ is None
    assert error.__cause__ is None
    assert TOKEN.reveal() not in told
    assert "+15550100" not in f"{error!r} {error}"


@pytest.mark.parametrize(
    "url",
    ["api.hubapi.com", "ftp://api.hubapi.com", "https://me:pw@api.hubapi.com", "", "https://"],
)
async def test_what_is_no_origin(url: str) -> None:
    """A wrong API URL is found when it is set, not when it is asked."""
    async with open_session() as session:
        with pytest.raises(ValueError, match="HUBSPOT_API_URL"):
            Transport(session, url, QUICK)


async def test_a_broken_compression_is_a_failure() -> None:
    """Bytes that are not what their encoding says are no answer."""

    async def handler(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"plain", headers={"Content-Encoding": "gzip"})

    async with answering(handler) as url:
        error = await failing(url, LIST)

    assert isinstance(error, PortalFailure)
    assert error.kind == "transport"
