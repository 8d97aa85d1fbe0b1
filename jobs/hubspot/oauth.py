"""HubSpot's token endpoints: codes and refresh tokens in, access tokens out.

Form-encoded, as HubSpot's OpenAPI file for OAuth of 2026-03 says. An access token lives for
`expires_in`, half an hour today; a refresh token until the account uninstalls the app, and it is
not replaced when it is used.
"""

from typing import Annotated, Final
from urllib.parse import urlencode

import msgspec

from jobs.config.values import Secret
from jobs.hubspot.answer import AnswerError
from jobs.hubspot.errors import GrantRefused, PortalFailure
from jobs.hubspot.faults import fault_of
from jobs.hubspot.loose import DECODING
from jobs.hubspot.paths import Paths
from jobs.hubspot.refusal import decode_error
from jobs.hubspot.transport import FORM, Answer, Request, Transport

_OK: Final = 200
_REFUSALS: Final = frozenset({400, 401, 403})
_APP: Final = frozenset(
    {"BAD_CLIENT_ID", "BAD_CLIENT_SECRET", "invalid_client", "unauthorized_client"}
)
_GRANT: Final = frozenset(
    {"BAD_REFRESH_TOKEN", "BAD_AUTH_CODE", "BAD_CODE_VERIFIER", "invalid_grant"}
)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What HubSpot grants for a code or a refresh token."""

    access: Secret
    refresh: Secret
    expires_in_s: int
    """How long the access token lives, from HubSpot's answer on."""
    portal_id: int | None
    """The account; None where HubSpot did not say."""
    scopes: tuple[str, ...] = ()


class _Issued(msgspec.Struct):
    """A token answer: `AccessTokenResponse` of the specification."""

    access_token: Annotated[str, msgspec.Meta(min_length=1)]
    refresh_token: Annotated[str, msgspec.Meta(min_length=1)]
    expires_in: Annotated[int, msgspec.Meta(ge=1)]
    hub_id: int | None = None
    scopes: tuple[str, ...] | None = None


_issued: Final = msgspec.json.Decoder(_Issued, strict=False)


class OAuth:
    """One app at HubSpot's token endpoints.

    Every method raises `GrantRefused` when HubSpot says that the code or refresh token is void, and
    `PortalFailure` when it cannot be asked now, or does not know the app (kind `app_refused`).
    """

    def __init__(
        self,
        transport: Transport,
        paths: Paths,
        *,
        client_id: str,
        client_secret: Secret,
        redirect_url: str,
    ) -> None:
        """Ask as the app `client_id`, whose installs come back to `redirect_url`."""
        self._transport = transport
        self._path = paths.token
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_url = redirect_url

    async def redeem(self, code: Secret, verifier: Secret) -> Grant:
        """Exchange an install's code, which works once, for the account's tokens."""
        return await self._granted(
            grant_type="authorization_code",
            redirect_uri=self._redirect_url,
            code=code.reveal(),
            code_verifier=verifier.reveal(),
        )

    async def renew(self, refresh: Secret) -> Grant:
        """Return a new access token; the earlier one works on until it expires."""
        return await self._granted(grant_type="refresh_token", refresh_token=refresh.reveal())

    async def _granted(self, **fields: str) -> Grant:
        answer = await self._post(**fields)
        detail: str
        try:
            issued = _issued.decode(answer.body)
        except DECODING as error:
            # Outside of the handler: the decoder's own error may hold the answer, tokens included.
            detail = str(AnswerError.of(error))
        else:
            return Grant(
                access=Secret(issued.access_token),
                refresh=Secret(issued.refresh_token),
                expires_in_s=issued.expires_in,
                portal_id=issued.hub_id,
                scopes=issued.scopes or (),
            )
        raise PortalFailure(kind="undecodable", detail=detail, status=answer.status)

    async def _post(self, **fields: str) -> Answer:
        app = {"client_id": self._client_id, "client_secret": self._client_secret.reveal()}
        body = urlencode({**fields, **app}).encode()
        answer = await self._transport.send(
            Request("POST", self._path, body=body, content_type=FORM), None
        )
        if answer.status == _OK:
            return answer
        raise refusal_of(answer)


def refusal_of(answer: Answer) -> GrantRefused | PortalFailure:
    """Return what an answer other than success means.

    Only HubSpot's explicit word makes a grant void. Anything else may pass, so it is a failure to
    ask; no record can be to blame here.
    """
    error = decode_error(answer.body)
    words = {error.oauth_error, error.status, error.category} - {None, "error"}
    told = [w for w in (error.status, error.category, error.oauth_error) if w in words]
    category = next((word for word in told if word in _APP | _GRANT), next(iter(told), None))
    correlation_id = error.correlation_id or answer.headers.get("X-HubSpot-Correlation-Id")
    if answer.status in _REFUSALS and words & _APP:
        return PortalFailure(
            kind="app_refused",
            detail="HubSpot does not take HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET",
            status=answer.status,
            category=category,
            correlation_id=correlation_id,
        )
    if answer.status in _REFUSALS and words & _GRANT:
        return GrantRefused(answer.status, category=category, correlation_id=correlation_id)
    fault = fault_of(answer.status, answer.headers, answer.body)
    if isinstance(fault, PortalFailure):
        return fault
    return PortalFailure(
        kind="server",
        detail="not a word on the grant itself",
        status=answer.status,
        category=category,
        correlation_id=correlation_id,
    )
