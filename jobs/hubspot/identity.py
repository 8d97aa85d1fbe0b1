"""Asks HubSpot whose a token is, before anything is known about its account."""

from jobs.config.values import Secret
from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.faults import fault_of
from jobs.hubspot.paths import Paths
from jobs.hubspot.schema import AnswerError, decode_account
from jobs.hubspot.transport import Request, Transport

_OK = 200


class Identity:
    """Answers whose a token is. Outside of any budget: whose budget it is, is the question."""

    def __init__(self, transport: Transport, paths: Paths) -> None:
        self._transport = transport
        self._paths = paths

    async def __call__(self, token: Secret) -> int:
        """Return the portal id of the token's account.

        Raises:
            PortalFailure, RecordRefused: HubSpot did not say.
        """
        answer = await self._transport.send(Request("GET", self._paths.account), token)
        if answer.status != _OK:
            raise fault_of(answer.status, answer.headers, answer.body)
        detail: str
        try:
            return decode_account(answer.body).portal_id
        except AnswerError as error:
            detail = str(error)
        raise PortalFailure(kind="undecodable", detail=detail, status=answer.status)
