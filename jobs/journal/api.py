"""The journal's own endpoints: which file is next, and what it is to hold.

From HubSpot's OpenAPI file for the Webhooks Journal of 2026-03, the only version that is not beta,
whatever `HUBSPOT_API_VERSION` says of calls.
"""

from collections.abc import Sequence
from typing import Annotated, Final, TypeVar
from urllib.parse import quote

import msgspec

from jobs.hubspot.answer import AnswerError
from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.faults import fault_of
from jobs.hubspot.loose import DECODING
from jobs.hubspot.transport import Answer, Request, Transport
from jobs.journal.token import AppToken

_VERSION: Final = "2026-03"
_JOURNAL: Final = f"/webhooks-journal/journal/{_VERSION}"
_SUBSCRIPTIONS: Final = f"/webhooks-journal/subscriptions/{_VERSION}"
_DONE: Final = frozenset({200, 201, 204})
_EMPTY: Final = 204
_UNAUTHORISED: Final = 401
_LOST: Final = frozenset({404, 410})

T = TypeVar("T")


class GapError(Exception):
    """The journal no longer holds what followed the offset: three days have passed."""


class Pointer(msgspec.Struct, frozen=True, rename="camel"):
    """Where the next file is: HubSpot's `JournalFetchResponse`."""

    url: str
    """Signed: whoever has it may read the file."""
    current_offset: Annotated[str, msgspec.Meta(min_length=1)]
    """Of the file itself; the next one is asked for with it."""

    def __repr__(self) -> str:
        """Return the offset, without the URL, which is as good as a token for a while."""
        return f"Pointer({self.current_offset!r})"


class Subscribed(msgspec.Struct, frozen=True, rename="camel"):
    """A subscription as HubSpot lists it, in what matters here."""

    id: int
    actions: Sequence[str] | None = None
    properties: Sequence[str] | None = None


class _Listing(msgspec.Struct, frozen=True):
    results: list[Subscribed]


class JournalApi:
    """Asks as the journal's app.

    Every method raises `PortalFailure`, or `RecordRefused` where HubSpot refuses the request as
    such, or `GrantRefused`, all of them `HubSpotError`.
    """

    def __init__(self, transport: Transport, token: AppToken) -> None:
        self._transport = transport
        self._token = token

    async def following(self, offset: str) -> Pointer | None:
        """Return where the file after `offset` is (empty: the earliest); None when caught up.

        Raises:
            GapError: the offset is older than the journal, or the journal does not know it.
        """
        place = f"offset/{quote(offset, safe='')}/next" if offset else "earliest"
        answer = await self._ask(Request("GET", f"{_JOURNAL}/{place}"), may_miss=bool(offset))
        if answer.status in _LOST:
            raise GapError
        return None if answer.status == _EMPTY else _read(answer, Pointer)

    async def subscriptions(self) -> list[Subscribed]:
        """Return all subscriptions of the app."""
        return _read(await self._ask(Request("GET", _SUBSCRIPTIONS)), _Listing).results

    async def subscribe(self, wanted: bytes) -> int:
        """Make a subscription, or put it in the place of one like it; return its id."""
        answer = await self._ask(Request("POST", _SUBSCRIPTIONS, body=wanted))
        return _read(answer, Subscribed).id

    async def unsubscribe(self, subscription_id: int) -> None:
        """Remove a subscription; one that is gone is not missed."""
        request = Request("DELETE", f"{_SUBSCRIPTIONS}/{subscription_id}")
        await self._ask(request, may_miss=True)

    async def _ask(self, request: Request, *, may_miss: bool = False) -> Answer:
        token = await self._token.token()
        answer = await self._transport.send(request, token)
        if answer.status == _UNAUTHORISED:
            token = await self._token.token(refused=token)
            answer = await self._transport.send(request, token)
        if answer.status in _DONE or (may_miss and answer.status in _LOST):
            return answer
        raise fault_of(answer.status, answer.headers, answer.body)


def _read(answer: Answer, kind: type[T]) -> T:
    detail: str
    try:
        return msgspec.json.decode(answer.body, type=kind, strict=False)
    except DECODING as error:
        # Outside of the handler: the decoder's own error may hold the answer, a signed URL too.
        detail = str(AnswerError.of(error))
    raise PortalFailure(kind="undecodable", detail=detail, status=answer.status)
