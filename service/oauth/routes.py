"""`GET /oauth/install` and `GET /oauth/callback`: an account connects itself.

The routes are there only when the settings name an app.
"""

from collections.abc import Awaitable
from typing import Final, cast

import structlog
from litestar import Litestar, MediaType, Request, Response, get
from litestar.datastructures import Cookie, State
from redis.exceptions import RedisError

from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.timing import Timing
from service.oauth import pages
from service.oauth.flow import InstallError, InstallFlow, Reason

INSTALL: Final = "/oauth/install"
CALLBACK: Final = "/oauth/callback"
LINK: Final = "invitation"
"""The parameter of an install link that holds its word."""
_FOUND: Final = 302

_log = structlog.get_logger(__name__)

HttpRequest = Request[None, None, State]


class InstallRoutes:
    """The flow as browsers meet it."""

    def __init__(self, flow: InstallFlow, settings: Settings, timing: Timing) -> None:
        """Serve the flow; its cookie is secure where PUBLIC_URL is https."""
        self._flow = flow
        self._secure = settings.public_url.startswith("https://")
        self._life_s = timing.install_ms // 1000
        # The prefix keeps other hosts of the domain, and plain http, from setting the cookie.
        self._cookie = "__Host-callstream-install" if self._secure else "callstream-install"

    async def install(self, request: HttpRequest) -> Response[bytes]:
        """Send the browser to HubSpot's consent page."""
        link = request.query_params.get(LINK)
        begun = await self._flow.begin(link, request.cookies.get(self._cookie))
        headers = {**pages.HEADERS, "Location": begun.url}
        return Response(
            b"", status_code=_FOUND, headers=headers, cookies=[self._cookie_of(begun.browser)]
        )

    async def callback(self, request: HttpRequest) -> Response[bytes]:
        """Connect the account and say so."""
        query = {name: request.query_params.get(name, "") for name in ("state", "code", "error")}
        portal_id = await self._flow.finish(query, request.cookies.get(self._cookie))
        return _response(pages.success(portal_id))

    def _cookie_of(self, browser: Secret) -> Cookie:
        return Cookie(
            key=self._cookie,
            value=browser.reveal(),
            max_age=self._life_s,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )


@get(INSTALL, summary="Begin the install of the app in a HubSpot account")
async def install(request: HttpRequest) -> Response[bytes]:
    """Answer 302 to HubSpot, or a page that says why not."""
    return await _answered(routes_of(request.app).install(request))


@get(CALLBACK, summary="Finish the install of the app in a HubSpot account")
async def callback(request: HttpRequest) -> Response[bytes]:
    """Answer a page: the account is connected, or why not."""
    return await _answered(routes_of(request.app).callback(request))


def routes_of(app: Litestar) -> InstallRoutes:
    """Return the routes that the application's lifespan has set up."""
    return cast("InstallRoutes", app.state["installs"])


async def _answered(answering: Awaitable[Response[bytes]]) -> Response[bytes]:
    """Return the answer, or the page that says why there is none."""
    try:
        return await answering
    except InstallError as error:
        _log.info("install not done", reason=error.reason.value, portal_id=error.portal_id)
        return _response(pages.failure(error.reason, error.portal_id))
    except (RedisError, OSError, TimeoutError) as error:
        _log.warning("install not possible while Redis is away", error=repr(error))
        return _response(pages.failure(Reason.UNAVAILABLE, None))


def _response(page: pages.Page) -> Response[bytes]:
    return Response(
        page.html(), status_code=page.status.value, headers=pages.HEADERS, media_type=MediaType.HTML
    )
