"""What a person sees of an install: one short page, on its own, without scripts.

Its policy lets a browser apply the page's own style and load or run nothing at all.
"""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Final

import msgspec

from service.oauth.flow import Reason

_STYLE: Final = """\
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:grid;place-items:center;
font:16px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:32rem;margin:1.5rem;padding:2rem;border:1px solid #8884;border-radius:.75rem}
h1{margin:0 0 .75rem;font-size:1.375rem;line-height:1.25}
h1::before{content:"";display:block;width:2.5rem;height:.375rem;margin-bottom:1.25rem;
border-radius:.25rem;background:#c2410c}
.good h1::before{background:#15803d}
p{margin:.5rem 0 0}
footer{margin-top:1.5rem;font-size:.875rem;opacity:.7}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer of the install flow: its addresses hold words that nobody else may see."""


class Page(msgspec.Struct, frozen=True):
    """A page and its status."""

    status: HTTPStatus
    title: str
    words: str
    good: bool = False

    def html(self) -> bytes:
        """Return the page as it is sent, UTF-8."""
        title, words = escape(self.title), escape(self.words)
        kind = ' class="good"' if self.good else ""
        return (
            "<!doctype html>\n"
            f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<style>{_STYLE}</style></head>"
            f"<body><main{kind}><h1>{title}</h1><p>{words}</p>"
            "<footer>Callstream</footer></main></body></html>\n"
        ).encode()


_BEGIN_ANEW: Final = (
    "Open the install link again, in the browser in which you are logged in to HubSpot."
)

_FAILURES: Final[Mapping[Reason, Page]] = {
    Reason.LINK_NEEDED: Page(
        HTTPStatus.FORBIDDEN,
        "An install link is needed",
        "Accounts are connected here by invitation. Ask whoever runs this Callstream for a link; "
        "they make one with: callstream accounts add",
    ),
    Reason.LINK_SPENT: Page(
        HTTPStatus.FORBIDDEN,
        "This link is not good any more",
        "An install link works once and for a limited time. Ask for a new one.",
    ),
    Reason.BUSY: Page(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many installs at once",
        "Many installs were begun within the last minute. Try again in a minute.",
    ),
    Reason.NOT_BEGUN: Page(
        HTTPStatus.BAD_REQUEST,
        "This install cannot be finished",
        f"It was begun in another browser, too long ago, or is finished already. {_BEGIN_ANEW}",
    ),
    Reason.DECLINED: Page(
        HTTPStatus.FORBIDDEN,
        "Nothing was connected",
        f"HubSpot says that the request was declined. {_BEGIN_ANEW}",
    ),
    Reason.REFUSED: Page(
        HTTPStatus.BAD_REQUEST,
        "HubSpot did not confirm the install",
        f"Nothing was connected. {_BEGIN_ANEW}",
    ),
    Reason.UNREACHABLE: Page(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "HubSpot did not answer",
        f"Nothing was connected. Wait a moment. {_BEGIN_ANEW}",
    ),
    Reason.MISCONFIGURED: Page(
        HTTPStatus.BAD_GATEWAY,
        "This Callstream is not set up right",
        "HubSpot does not take what it says of its app. Whoever runs it finds more in its log.",
    ),
    Reason.UNAVAILABLE: Page(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Not now",
        f"Something is out of order here, and it is being looked after. {_BEGIN_ANEW}",
    ),
}


def success(portal_id: int) -> Page:
    """Return the page of an account that is connected."""
    return Page(
        HTTPStatus.OK,
        f"Account {portal_id} is connected",
        "Its calls are on their way to the stream. You can close this page.",
        good=True,
    )


def failure(reason: Reason, portal_id: int | None) -> Page:
    """Return the page of an install that did not come about."""
    if reason is Reason.NOT_ALLOWED:
        words = (
            "This Callstream does not take the account that you chose in HubSpot. Choose another "
            "one, or ask whoever runs it for an install link."
        )
        return Page(HTTPStatus.FORBIDDEN, f"Account {portal_id} was not connected", words)
    if reason is Reason.OTHER_ACCOUNT:
        words = (
            "The install link is for another account than the one that you chose in HubSpot. Open "
            "it again and choose that one."
        )
        return Page(HTTPStatus.FORBIDDEN, f"Account {portal_id} was not connected", words)
    return _FAILURES[reason]
