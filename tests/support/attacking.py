"""What whoever means harm sends: raw bytes on a connection, and what comes back."""

import asyncio
from asyncio import StreamReader

from tests.support.served import WEBHOOK, Served


async def raw(service: Served, sent: bytes, within_s: float = 10) -> bytes:
    """Send bytes and return all that comes until the service closes the connection."""
    async with service.connection() as (reader, writer), asyncio.timeout(within_s):
        writer.write(sent)
        return await read_all(reader)


async def read_all(reader: StreamReader) -> bytes:
    """Return what comes until the connection ends, one way or the other."""
    found = b""
    while True:
        try:
            part = await reader.read(65_536)
        except ConnectionError:
            return found
        if not part:
            return found
        found += part


def head(more: str = "", target: str = WEBHOOK) -> bytes:
    """Return a head of a delivery, without its last, empty line."""
    return f"POST {target} HTTP/1.1\r\nHost: x\r\n{more}".encode()
