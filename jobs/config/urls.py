"""The URLs that settings hold: what is accepted, and how they are shown.

The readers raise ValueError with what was expected, never with what was found: a URL may hold a
password.
"""

import re
from urllib.parse import SplitResult, urlsplit

CALLBACK_PATH = "/oauth/callback"
"""Where the service takes an install's end; a proxy may put something before it."""
_REDIS = ("redis", "rediss", "redis+sentinel")
_SPACE = re.compile(r"\s")


def origin(text: str) -> str:
    """Return the web origin in the text, without a slash at its end."""
    what = "an origin such as https://calls.example.com, without a path"
    url = _split(text, ("https", "http"), what)
    if url.path not in ("", "/") or url.query or url.fragment or "@" in url.netloc:
        raise ValueError(what)
    return f"{url.scheme}://{url.netloc}"


def web_url(text: str) -> str:
    """Return the web URL in the text, without slashes at its end."""
    what = "a URL such as https://api.example.com, without a user, query or fragment"
    url = _split(text, ("https", "http"), what)
    if url.query or url.fragment or "@" in url.netloc:
        raise ValueError(what)
    return text.rstrip("/")


def callback_url(text: str) -> str:
    """Return the text if it is a web URL that leads to the service's `/oauth/callback`."""
    what = "a URL such as https://calls.example.com/oauth/callback"
    url = _split(text, ("https", "http"), what)
    if not url.path.endswith(CALLBACK_PATH) or url.query or url.fragment or "@" in url.netloc:
        raise ValueError(what)
    return text


def redis_url(text: str) -> str:
    """Return the text if it is the URL of a single Redis, or of one behind Sentinels."""
    what = "a URL that starts with redis://, rediss://, unix:// or redis+sentinel://"
    return _redis(text, _REDIS, what)


def streams_url(text: str) -> str:
    """Return the text if it is the URL of a Redis, or of a Redis Cluster."""
    what = "a URL such as for REDIS_URL, or redis+cluster://"
    return _redis(text, (*_REDIS, "redis+cluster"), what)


def redacted(url: str) -> str:
    """Return a URL without its user and password, and without its query, which may hold them."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "***"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _redis(text: str, schemes: tuple[str, ...], what: str) -> str:
    if text.startswith("unix://"):
        if not urlsplit(text).path:
            raise ValueError(what)
        return text
    # Sentinels are a list of hosts, which urlsplit takes for one with an odd port.
    first, comma, rest = text.partition(",")
    _split(first, schemes, what)
    if comma and (not first.startswith("redis+") or not rest):
        raise ValueError(what)
    return text


def _split(text: str, schemes: tuple[str, ...], what: str) -> SplitResult:
    """Split a URL of one of the schemes that names a host, else raise ValueError(what)."""
    try:
        url = urlsplit(text)
        named = bool(url.hostname) and url.port != 0
    except ValueError:
        raise ValueError(what) from None
    if url.scheme not in schemes or not named or not text.isascii() or _SPACE.search(text):
        raise ValueError(what)
    return url
