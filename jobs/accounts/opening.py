"""Makes the parts that deal with accounts out of the settings."""

from redis.asyncio import Redis

from jobs.accounts.accounts import Accounts
from jobs.accounts.installed import Installed
from jobs.accounts.register import Register
from jobs.accounts.static import StaticAccount
from jobs.accounts.vault import Vault
from jobs.config.settings import Settings
from jobs.hubspot.identity import Identity
from jobs.hubspot.oauth import OAuth
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Transport
from jobs.ledger.ledger import Ledger
from jobs.timing import Timing


def oauth_of(settings: Settings, transport: Transport) -> OAuth:
    """Return our app at HubSpot's token endpoints; the settings name one."""
    return OAuth(
        transport,
        Paths(settings.hubspot_api_version),
        client_id=settings.hubspot_client_id,
        client_secret=settings.hubspot_client_secret[0],
        redirect_url=settings.hubspot_redirect_url,
    )


def accounts_of(
    settings: Settings, redis: Redis, ledger: Ledger, transport: Transport, timing: Timing
) -> Accounts:
    """Return the accounts whose calls a worker reads; nothing is asked of anybody yet."""
    return Accounts(
        static=_static(settings, redis, transport),
        installed=_installed(settings, redis, ledger, transport, timing),
    )


def _static(settings: Settings, redis: Redis, transport: Transport) -> StaticAccount | None:
    if settings.hubspot_access_token is None:
        return None
    return StaticAccount(
        redis,
        settings.namespace,
        Identity(transport, Paths(settings.hubspot_api_version)),
        token=settings.hubspot_access_token,
        portal_id=settings.hubspot_portal_id,
    )


def _installed(
    settings: Settings, redis: Redis, ledger: Ledger, transport: Transport, timing: Timing
) -> Installed | None:
    if not settings.hubspot_client_id:
        return None
    register = Register(redis, settings.namespace, ledger, timing)
    return Installed(register, Vault(settings.token_keys), oauth_of(settings, transport), timing)
