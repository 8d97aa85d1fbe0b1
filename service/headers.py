"""Headers of every answer, of errors too: browsers guess, keep, tell and load nothing.

There are no CORS headers, so that no page of another origin can read an answer.
"""

from typing import Final

from litestar.types import Message, Scope

SECURITY: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""Where an answer has one of these already, as a page has its own policy, it keeps that."""


async def add_security_headers(message: Message, _scope: Scope) -> None:
    """Add to an answer what it has not; for Litestar's `before_send`, which sees every answer."""
    if message["type"] != "http.response.start":
        return
    headers = list(message.get("headers", ()))
    present = {name.lower() for name, _ in headers}
    headers += [pair for pair in SECURITY if pair[0] not in present]
    message["headers"] = headers
