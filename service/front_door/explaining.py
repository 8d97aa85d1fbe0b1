"""Finds out for which URL a refused delivery was signed: pure, and never lifts the refusal.

HubSpot signs the target URL that its app names. Where PUBLIC_URL says another one, a proxy's
headers often still name it: each URL that they allow is tried. What they say is believed in no
other way.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Final

MOST_BYTES: Final = 262_144
"""Longer bodies are not hashed again for an explanation; HubSpot's are a hundred notifications."""
MOST_URLS: Final = 12

_HOSTS: Final = (b"host", b"x-forwarded-host", b"x-original-host")
_TARGETS: Final = (b"x-original-uri", b"x-forwarded-uri", b"x-original-url", b"x-rewrite-url")
_PREFIX: Final = b"x-forwarded-prefix"
_HOST: Final = re.compile(rb"[A-Za-z0-9.\-:\[\]]{1,255}")
_TARGET: Final = re.compile(rb"/[!-~]{0,2000}")
_UNSHOWN: Final = re.compile(rb"[^!-~]")
_LONGEST_SHOWN: Final = 300


def signed_url(
    headers: Mapping[bytes, bytes], target: bytes, body_bytes: int, signs: Callable[[bytes], bool]
) -> bytes | None:
    """Return the URL for which `signs` holds, of those that the request may have been sent to."""
    if body_bytes > MOST_BYTES:
        return None
    for count, url in enumerate(_urls(headers, target)):
        if count == MOST_URLS:
            return None
        if signs(url):
            return url
    return None


def shown(url: bytes) -> str:
    """Return a URL as it may be logged: without its query, which may hold a secret."""
    place, mark, _ = url.partition(b"?")
    text = _UNSHOWN.sub(b".", place[:_LONGEST_SHOWN]).decode()
    return f"{text}?..." if mark else text


def came_to(headers: Mapping[bytes, bytes], target: bytes) -> str:
    """Return host and path as the request names them, as they may be logged."""
    host = headers.get(b"host", b"")
    return shown((host if _HOST.fullmatch(host) else b"") + target)


def _urls(headers: Mapping[bytes, bytes], target: bytes) -> Iterator[bytes]:
    named = (headers.get(name, b"").partition(b",")[0].strip() for name in _HOSTS)
    hosts = dict.fromkeys(host for host in named if _HOST.fullmatch(host))
    others = [headers.get(name, b"").strip() for name in _TARGETS]
    others.append(headers.get(_PREFIX, b"").strip().rstrip(b"/") + target)
    targets = dict.fromkeys([target, *(one for one in others if _TARGET.fullmatch(one))])
    for path, host, scheme in product(targets, hosts, (b"https", b"http")):
        yield scheme + b"://" + host + path
