"""The journal app's own token: from its credentials, for no account, and without a refresh token.

HubSpot's journal guide: grant type `client_credentials`, half an hour, asked for anew at its end.
"""

import asyncio
import time
from typing import Annotated, Final
from urllib.parse import urlencode

import msgspec

from jobs.config.values import Secret
from jobs.hubspot.answer import AnswerError
from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.hubspot.loose import DECODING
from jobs.hubspot.oauth import refusal_of
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import FORM, Answer, Request, Transport
from jobs.timing import Timing

SCOPES: Final = (
    "developer.webhooks_journal.read",
    "developer.webhooks_journal.subscriptions.read",
    "developer.webhooks_journal.subscriptions.write",
)
"""What the app must be allowed, besides the reading of calls."""
_OK: Final = 200
_LAST_SHARE: Final = 0.25
"""A short-lived token is renewed no earlier than in its last quarter."""


class _Issued(msgspec.Struct):
    access_token: Annotated[str, msgspec.Meta(min_length=1)]
    expires_in: Annotated[int, msgspec.Meta(ge=1)]


_issued: Final = msgspec.json.Decoder(_Issued, strict=False)


class AppToken:
    """Hands out the app's token, a fresh one ahead of the old one's end."""

    def __init__(
        self,
        transport: Transport,
        paths: Paths,
        timing: Timing,
        *,
        client_id: str,
        client_secret: Secret,
    ) -> None:
        self._transport = transport
        self._path = paths.token
        self._ahead_s = timing.token_ahead_ms / 1000
        self._client_id = client_id
        self._client_secret = client_secret
        self._held: Secret | None = None
        self._good_until = 0.0
        self._busy = asyncio.Lock()

    async def token(self, *, refused: Secret | None = None) -> Secret:
        """Return a token, another one than HubSpot has `refused`.

        Raises:
            PortalFailure: HubSpot gives none; kind `app_refused` if it does not take the app's
                credentials.
            GrantRefused: likewise, in the words of a void grant.
        """
        async with self._busy:
            if self._held is None or self._held == refused or time.monotonic() >= self._good_until:
                self._held = await self._ask()
            return self._held

    async def _ask(self) -> Secret:
        began = time.monotonic()
        fields = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret.reveal(),
            "scope": " ".join(SCOPES),
        }
        request = Request("POST", self._path, body=urlencode(fields).encode(), content_type=FORM)
        answer = await self._transport.send(request, None)
        if answer.status != _OK:
            raise _refusal(answer)
        detail: str
        try:
            issued = _issued.decode(answer.body)
        except DECODING as error:
            # Outside of the handler: the decoder's own error may hold the answer, token included.
            detail = str(AnswerError.of(error))
        else:
            ahead_s = min(self._ahead_s, issued.expires_in * _LAST_SHARE)
            self._good_until = began + issued.expires_in - ahead_s
            return Secret(issued.access_token)
        raise PortalFailure(kind="undecodable", detail=detail, status=answer.status)


def _refusal(answer: Answer) -> HubSpotError:
    failure = refusal_of(answer)
    if isinstance(failure, PortalFailure) and failure.kind == "app_refused":
        return PortalFailure(
            kind="app_refused",
            detail="HubSpot does not take JOURNAL_CLIENT_ID and JOURNAL_CLIENT_SECRET",
            status=failure.status,
            category=failure.category,
            correlation_id=failure.correlation_id,
        )
    return failure
