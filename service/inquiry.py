"""Asks HubSpot what a command of the operator's needs to know: a few requests, outside of a worker.

They are not taken out of the budget, which needs a Redis: the reserve has room for them.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from jobs.accounts.opening import accounts_of
from jobs.config.settings import OAUTH, Settings
from jobs.config.values import Secret
from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.faults import fault_of
from jobs.hubspot.paths import Paths
from jobs.hubspot.schema import (
    AnswerError,
    TokenInfo,
    decode_property_names,
    decode_token_info,
)
from jobs.hubspot.transport import FORM, Answer, Request, Transport, open_session
from jobs.ledger.ledger import Ledger
from jobs.redis import connect
from jobs.timing import Timing

_OK = frozenset({200, 207})

T = TypeVar("T")


class App(msgspec.Struct, frozen=True):
    """An OAuth app, as which to ask about its tokens."""

    client_id: str
    secret: Secret


class Inquiry:
    """One account, asked with its token.

    Every method raises `PortalFailure` or `RecordRefused` when HubSpot does not answer as asked.
    """

    def __init__(self, transport: Transport, paths: Paths, token: Secret) -> None:
        """Ask through `transport` at `paths` with `token`."""
        self.paths = paths
        self._transport = transport
        self._token = token

    async def property_names(self) -> tuple[str, ...]:
        """Return the names of the call properties that the account defines, in HubSpot's order."""
        return await self.decoded(Request("GET", self.paths.properties), decode_property_names)

    async def token_info(self, app: App | None = None) -> TokenInfo:
        """Return what the token may do: an OAuth token of `app`, else a static one."""
        token = self._token.reveal()
        if app is None:
            body = msgspec.json.encode({"tokenKey": token})
            request = Request("POST", self.paths.private_app, body=body)
        else:
            fields = {"client_id": app.client_id, "client_secret": app.secret.reveal()}
            body = urlencode({**fields, "token": token, "token_type_hint": "access_token"}).encode()
            request = Request("POST", self.paths.introspection, body=body, content_type=FORM)
        return await self.decoded(request, decode_token_info)

    async def decoded(self, request: Request, decode: Callable[[bytes], T]) -> T:
        """Return what the answer to a request says."""
        return decoded(await self.send(request), decode)

    async def send(self, request: Request) -> Answer:
        """Return the answer to a request, which is one of success."""
        answer = await self._transport.send(request, self._token)
        if answer.status not in _OK:
            raise fault_of(answer.status, answer.headers, answer.body)
        return answer


def decoded(answer: Answer, decode: Callable[[bytes], T]) -> T:
    """Return what an answer says; raises PortalFailure if it is not what HubSpot documents."""
    detail: str
    try:
        return decode(answer.body)
    except AnswerError as error:
        detail = str(error)
    raise PortalFailure(kind="undecodable", detail=detail, status=answer.status)


@asynccontextmanager
async def open_transport(settings: Settings) -> AsyncGenerator[Transport]:
    """Connect to HubSpot's API; nothing is asked yet."""
    timing = Timing().scaled(settings.timing_scale)
    async with open_session() as session:
        yield Transport(session, settings.hubspot_api_url, timing)


def takes_installs(settings: Settings) -> bool:
    """Whether the settings say all that accounts which install the app ask for."""
    return all(getattr(settings, name) for name in OAUTH)


async def token_of(settings: Settings, transport: Transport, portal_id: int) -> Secret:
    """Return the token of an account that has installed the app, or whose the settings' token is.

    Raises:
        PortalFailure, RecordRefused: there is none, or HubSpot does not give it.
        redis.RedisError: Redis is away.
    """
    timing = Timing().scaled(settings.timing_scale)
    if not takes_installs(settings):
        settings = msgspec.structs.replace(settings, hubspot_client_id="")
    async with connect(settings.redis_url) as redis:
        ledger = Ledger(redis, settings.namespace, timing)
        accounts = accounts_of(settings, redis, ledger, transport, timing)
        return await accounts.token(portal_id)
