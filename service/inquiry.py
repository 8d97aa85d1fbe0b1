"""Asks HubSpot what a command of the operator's needs to know: a few requests, outside of a worker.

They are not taken out of the budget, which needs a Redis: the reserve has room for them.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from jobs.accounts.opening import accounts_of
from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.faults import fault_of
from jobs.hubspot.paths import Paths
from jobs.hubspot.schema import AnswerError, decode_property_names
from jobs.hubspot.transport import Answer, Request, Transport, open_session
from jobs.ledger import Ledger
from jobs.redis import connect
from jobs.settings import Settings
from jobs.timing import Timing
from jobs.values import Secret

OK = frozenset({200, 207})

T = TypeVar("T")


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

    async def decoded(self, request: Request, decode: Callable[[bytes], T]) -> T:
        """Return what the answer to a request says."""
        answer = await self.send(request)
        if answer.status not in OK:
            raise fault_of(answer.status, answer.headers, answer.body)
        detail: str
        try:
            return decode(answer.body)
        except AnswerError as error:
            detail = str(error)
        raise PortalFailure(kind="undecodable", detail=detail, status=answer.status)

    async def send(self, request: Request) -> Answer:
        """Return the answer to a request, of any status."""
        return await self._transport.send(request, self._token)


@asynccontextmanager
async def open_transport(settings: Settings) -> AsyncGenerator[Transport]:
    """Connect to HubSpot's API; nothing is asked yet."""
    timing = Timing().scaled(settings.timing_scale)
    async with open_session() as session:
        yield Transport(session, settings.hubspot_api_url, timing)


async def installed_token(settings: Settings, transport: Transport, portal_id: int) -> Secret:
    """Return the token of an account that has installed the app, or whose the settings' token is.

    Raises:
        PortalFailure, RecordRefused: there is none, or HubSpot does not give it.
        redis.RedisError: Redis is away.
    """
    timing = Timing().scaled(settings.timing_scale)
    async with connect(settings.redis_url) as redis:
        ledger = Ledger(redis, settings.namespace, timing)
        accounts = accounts_of(settings, redis, ledger, transport, timing)
        return await accounts.token(portal_id)
