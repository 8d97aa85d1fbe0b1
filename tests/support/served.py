"""The service as a process of its own, and HubSpot's requests to it."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import msgspec
from yarl import URL

from service.addresses import free_port
from service.embedded.child import Kept
from tests.simulator.signatures import sign_v3
from tests.support.processes import eventually

SECRET = "a-secret-for-tests"
PUBLIC_URL = "https://hooks.example.com"
WEBHOOK = "/webhooks/hubspot"
BIN = Path(sys.executable).parent
GRANIAN = (str(BIN / "granian"), "--interface=asgi", "--factory", "service.app:create_app")
LITESTAR = (str(BIN / "litestar"), "--app", "service.app:create_app", "run")


class Reply(msgspec.Struct):
    """What the service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        """The body's JSON object."""
        return msgspec.json.decode(self.body, type=dict[str, object])


def notification(call_id: int, kind: str = "creation", portal_id: int = 62515) -> dict[str, object]:
    """Return a notification about a call."""
    return {
        "eventId": 1,
        "subscriptionId": 2,
        "portalId": portal_id,
        "appId": 3,
        "occurredAt": 1751276050977,
        "subscriptionType": f"object.{kind}",
        "attemptNumber": 0,
        "objectId": call_id,
        "objectTypeId": "0-48",
        "changeSource": "CRM_UI",
    }


def signed(
    body: bytes,
    target: str = WEBHOOK,
    *,
    secret: str = SECRET,
    origin: str = PUBLIC_URL,
    skew_ms: int = 0,
) -> dict[str, str]:
    """Return the headers with which HubSpot would send the body to the target."""
    timestamp = int(time.time() * 1000) + skew_ms
    return {
        "Content-Type": "application/json",
        "X-HubSpot-Signature-v3": sign_v3(secret, "POST", origin + target, body, timestamp),
        "X-HubSpot-Request-Timestamp": str(timestamp),
    }


async def ask(
    port: int,
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send one request to this machine, its target byte for byte; redirects are not followed."""
    url = URL(f"http://127.0.0.1:{port}{target}", encoded=True)
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.request(method, url, data=body, headers=headers, allow_redirects=False) as response,
    ):
        return Reply(response.status, dict(response.headers), await response.read())


class Served:
    """A running service."""

    def __init__(self, process: Kept, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def log(self) -> str:
        """What the service printed so far."""
        return self._log.read_text()

    async def ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request, its target byte for byte; redirects are not followed."""
        return await ask(self.port, method, target, body, headers)

    async def deliver(self, *call_ids: int) -> Reply:
        """Send signed notifications about the calls."""
        body = json.dumps([notification(call_id) for call_id in call_ids]).encode()
        return await self.ask("POST", WEBHOOK, body, signed(body))

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[tuple[StreamReader, StreamWriter]]:
        """Connect without speaking HTTP yet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()

    def listens(self) -> bool:
        """Whether it takes connections."""
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False


@contextmanager
def served(
    redis_url: str, port: int = 0, /, *, command: Sequence[str] = GRANIAN, **settings: str
) -> Generator[Served]:
    """Run the service, started as an operator without our commands would; 0 = any free port."""
    port = port or free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "REDIS_URL": redis_url,
        "HUBSPOT_CLIENT_SECRET": SECRET,
        "PUBLIC_URL": PUBLIC_URL,
        "NAMESPACE": "tenant-1",
        "LOG_FORMAT": "json",
        **settings,
    }
    address = ["--host", "127.0.0.1", "--port", str(port)]
    with tempfile.NamedTemporaryFile(prefix="callstream-service-") as log:
        process = Kept([*command, *address], environ=environ, output=log.file)
        try:
            process.start()
            service = Served(process, port, Path(log.name))
            assert eventually(service.listens, 30), service.log
            yield service
        finally:
            process.close()
