"""One request to HubSpot's API and its answer, whatever it says."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final, Literal
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from jobs.config.values import Secret
from jobs.hubspot.errors import PortalFailure, RecordRefused
from jobs.timing import Timing

MAX_ANSWER: Final = 64 * 1024 * 1024
"""The longest answer that is read, in bytes after decompression: a hundred calls whose bodies are
as long as HubSpot stores them come to a tenth of it."""
_CHUNK: Final = 65_536


JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


class Request(msgspec.Struct, frozen=True):
    """What is asked."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    content_type: str = JSON
    """Of the body."""

    def __repr__(self) -> str:
        """Return method and path, without query and body, which may hold secrets."""
        return f"Request({self.method} {self.path})"


class Answer(msgspec.Struct, frozen=True):
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes
    elapsed_ms: int
    """From sending the request to the end of its answer."""

    def __repr__(self) -> str:
        """Return the status, without the body, which may hold tokens or what was said."""
        return f"Answer({self.status})"


def open_session() -> aiohttp.ClientSession:
    """Return the session of one process: connections are kept, cookies are not.

    To be closed by its owner; must be called in the event loop.
    """
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept": "application/json", "User-Agent": "callstream"},
    )


class Transport:
    """Sends requests to the one host that may see tokens."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        timing: Timing,
        *,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        """Send to `api_url`, an origin such as `https://api.hubapi.com`.

        Raises:
            ValueError: it is no origin, or carries a user or password.
        """
        url = URL(api_url)
        if url.scheme not in {"http", "https"} or not url.host or url.user or url.password:
            msg = "HUBSPOT_API_URL is no origin such as https://api.hubapi.com"
            raise ValueError(msg)
        self._session = session
        self._base = str(url.origin()) + url.raw_path.rstrip("/")
        self._timeout_s = timing.request_timeout_ms / 1000
        self._max_answer = max_answer

    async def send(self, request: Request, token: Secret | None) -> Answer:
        """Send a request and return its answer, of any status; redirects are not followed.

        Without a token it goes out unsigned, as token endpoints want it.

        Raises:
            PortalFailure: kind `timeout` or `transport`.
            RecordRefused: the answer is longer than the longest that is read; less must be asked.
        """
        failure: PortalFailure
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(request, token)
        except TimeoutError:
            failure = PortalFailure(kind="timeout")
        except (aiohttp.ClientError, OSError) as error:
            failure = PortalFailure(kind="transport", detail=type(error).__name__)
        # Outside of the handlers: the library's errors carry the request's headers, token included.
        raise failure

    async def _exchange(self, request: Request, token: Secret | None) -> Answer:
        began = time.monotonic()
        async with self._session.request(
            request.method,
            self._url(request),
            data=request.body,
            headers=_headers(request, token),  # not a variable, which a traceback might show
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as response:
            body = await self._read(response)
        elapsed_ms = round((time.monotonic() - began) * 1000)
        return Answer(response.status, response.headers, body, elapsed_ms)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > self._max_answer:
                raise RecordRefused(response.status, category="ANSWER_TOO_LONG")
        return bytes(body)

    def _url(self, request: Request) -> URL:
        query = f"?{urlencode(request.query, safe=',')}" if request.query else ""
        return URL(f"{self._base}{request.path}{query}", encoded=True)


def _headers(request: Request, token: Secret | None) -> dict[str, str]:
    headers = {} if token is None else {"Authorization": f"Bearer {token.reveal()}"}
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    return headers
