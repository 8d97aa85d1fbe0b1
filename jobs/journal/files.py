"""Fetches the journal's files from where HubSpot says they are, if that is HubSpot's.

The URL comes out of an answer, so it is held against a list of hosts; it is signed, so no token of
ours goes with it.
"""

import asyncio
import re
from http import HTTPStatus
from typing import Final

import aiohttp
from yarl import URL

from jobs.hubspot.errors import PortalFailure
from jobs.timing import Timing

MAX_FILE: Final = 32 * 1024 * 1024
"""The longest file that is read, in bytes after decompression; HubSpot says 5 MB."""
_CHUNK: Final = 65_536
_HOSTS: Final = re.compile(
    r"(?:[a-z0-9-]+\.)*s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com"
    r"|(?:[a-z0-9-]+\.)+(?:hubspot|hubapi)\.com"
)
"""Amazon's S3, where the signed URLs lead, by bucket or by path, and HubSpot's own hosts."""
_PASSING: Final = frozenset({408, 425, 429})
_SERVER: Final = 500


class BadFileError(Exception):
    """A file that cannot be used; says why, without its URL.

    Attributes:
        raw: what of it was read, for a dead letter.
    """

    def __init__(self, why: str, raw: bytes = b"") -> None:
        super().__init__(why)
        self.raw = raw


class Files:
    """Reads files of the journal."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        timing: Timing,
        *,
        max_file: int = MAX_FILE,
    ) -> None:
        """Read over `session`, from HubSpot's hosts and from the origin of `api_url`."""
        self._session = session
        self._origin = URL(api_url).origin()
        self._timeout_s = timing.request_timeout_ms / 1000
        self._max_file = max_file

    def allows(self, url: URL) -> bool:
        """Tell whether a file may be fetched from there."""
        if url.user is not None or url.password is not None or not url.absolute or not url.host:
            return False
        if url.scheme in {"http", "https"} and url.origin() == self._origin:
            return True
        standard = url.scheme == "https" and url.is_default_port()
        return standard and _HOSTS.fullmatch(url.host) is not None

    async def fetch(self, text: str) -> bytes:
        """Return the file behind a URL; redirects are not followed.

        Raises:
            BadFileError: the URL leads elsewhere, or there is no such file, or it is too long.
            PortalFailure: kind `timeout`, `transport` or `server`: it may be there later.
        """
        try:
            url = URL(text, encoded=True)
            allowed = self.allows(url)
        except ValueError:
            allowed = False
        if not allowed:
            msg = "its URL is not on a host of HubSpot's"
            raise BadFileError(msg)
        failure: PortalFailure
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._read(URL(text, encoded=True))
        except TimeoutError:
            failure = PortalFailure(kind="timeout", detail="a file of the journal")
        except (aiohttp.ClientError, OSError) as error:
            failure = PortalFailure(kind="transport", detail=type(error).__name__)
        # Outside of the handlers: the library's errors carry the signed URL.
        raise failure

    async def _read(self, url: URL) -> bytes:
        async with self._session.get(
            url, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=None)
        ) as response:
            status = response.status
            if status >= _SERVER or status in _PASSING:
                raise PortalFailure(kind="server", detail="a file of the journal", status=status)
            if status != HTTPStatus.OK:
                msg = f"its host answered {status}"
                raise BadFileError(msg)
            body = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > self._max_file:
                    msg = f"it is longer than {self._max_file} bytes"
                    raise BadFileError(msg, bytes(body[:_CHUNK]))
        return bytes(body)
