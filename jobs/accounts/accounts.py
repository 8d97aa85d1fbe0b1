"""All connected accounts: the one that the settings name, and those that have installed the app."""

from jobs.accounts.installed import Installed
from jobs.accounts.static import StaticAccount
from jobs.config.values import Secret
from jobs.hubspot.errors import PortalFailure


class Accounts:
    """Whose calls may be read, and with which token."""

    def __init__(self, *, static: StaticAccount | None, installed: Installed | None) -> None:
        """Use both kinds of account; None where the settings have none of a kind."""
        self._installed = installed
        self.static = static

    async def token(self, portal_id: int, *, refused: Secret | None = None) -> Secret:
        """Return a token of the account, another one than HubSpot has `refused` if there is one.

        What an install brought goes before the token of the settings.

        Raises:
            PortalFailure: kind `unknown` if there is none for this account, naming the account for
                which there is; `disconnected`, `sealed` and others as `Installed.token` says; or
                HubSpot had to be asked whose a token is, and did not say.
            RecordRefused: likewise.
            redis.RedisError: Redis had to be asked and was away.
        """
        if self._installed is not None:
            token = await self._installed.token(portal_id, refused=refused)
            if token is not None:
                return token
        if self.static is not None:
            return await self.static.token(portal_id, refused=refused)
        raise PortalFailure(kind="unknown", detail=f"no token for account {portal_id}")

    async def portals(self) -> list[int]:
        """Return the accounts that there is, or was, a token for, as far as is known by now.

        Raises:
            redis.RedisError: Redis is away.
        """
        found = [] if self._installed is None else await self._installed.portals()
        owner = None if self.static is None else await self.static.known()
        return found if owner is None or owner in found else [*found, owner]
