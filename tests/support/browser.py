"""A browser as the install flow meets it: keeps cookies, carries answers between two sites."""

from collections.abc import Mapping
from http.cookies import Morsel, SimpleCookie
from urllib.parse import parse_qs, urlsplit

import aiohttp
from yarl import URL

from tests.support.served import Reply, ask

INSTALL = "/oauth/install"


class Browser:
    """One browser with its own cookies."""

    def __init__(self, port: int) -> None:
        """Open the service that listens on this port of this machine."""
        self._port = port
        self.cookies: dict[str, Morsel[str]] = {}

    async def open(self, target: str) -> Reply:
        """Open an address of the service."""
        sent = "; ".join(f"{cookie.key}={cookie.value}" for cookie in self.cookies.values())
        headers = {"Cookie": sent} if sent else {}
        reply = await ask(self._port, "GET", target, headers=headers)
        self.cookies |= SimpleCookie(reply.headers.get("Set-Cookie", ""))
        return reply

    async def begin(self, target: str = INSTALL) -> str:
        """Begin an install; return HubSpot's consent page."""
        reply = await self.open(target)
        assert reply.status == 302, reply.body
        return reply.headers["Location"]

    async def agree(self, page: str, portal_id: int) -> str:
        """Choose an account on HubSpot's consent page; return where that sends the browser back."""
        return await self._answer(f"{page}&portal_id={portal_id}")

    async def decline(self, page: str) -> str:
        """Decline on HubSpot's consent page; return where that sends the browser back."""
        return await self._answer(f"{page}&deny=1")

    async def install(self, portal_id: int, target: str = INSTALL) -> Reply:
        """Go all the way; return the page at its end."""
        return await self.open(await self.agree(await self.begin(target), portal_id))

    async def _answer(self, url: str) -> str:
        async with (
            aiohttp.ClientSession() as http,
            http.get(URL(url, encoded=True), allow_redirects=False) as answer,
        ):
            back = urlsplit(answer.headers["Location"])
        return f"{back.path}?{back.query}"


def query_of(url: str) -> Mapping[str, str]:
    """Return the parameters of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
