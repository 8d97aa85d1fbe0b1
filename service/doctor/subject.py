"""Which account is examined: the one of the settings' token, or one that has installed the app."""

import msgspec

from jobs.accounts.register import Register
from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.hubspot.transport import Transport
from jobs.ledger.ledger import Ledger
from jobs.redis import connect
from jobs.timing import Timing
from service.inquiry import App, takes_installs, token_of


class Subject(msgspec.Struct, frozen=True):
    """An account, and the token that stands for it."""

    token: Secret
    portal_id: int | None
    """As it is known here; None where only HubSpot knows."""
    app: App | None
    """The app that gave the token; None for the token of the settings."""


async def subject_of(
    settings: Settings, transport: Transport, portal_id: int | None
) -> Subject | None:
    """Return the account to examine: `portal_id`, else the settings' own, else an installed one.

    None if there is none.

    Raises:
        PortalFailure, RecordRefused: there is no token of it, or HubSpot does not give it.
        redis.RedisError, OSError: Redis is away.
    """
    static = settings.hubspot_access_token
    if portal_id is None and static is not None:
        return Subject(static, settings.hubspot_portal_id, None)
    if portal_id is None:
        portal_id = await _first_installed(settings)
    if portal_id is None or not settings.redis_url:
        return None
    token = await token_of(settings, transport, portal_id)
    if token == static:
        return Subject(token, portal_id, None)
    app = App(settings.hubspot_client_id, settings.hubspot_client_secret[0])
    return Subject(token, portal_id, app)


async def _first_installed(settings: Settings) -> int | None:
    """Return the connected account that has installed the app longest ago."""
    if not settings.redis_url or not takes_installs(settings):
        return None
    timing = Timing()
    async with connect(settings.redis_url, retries=0) as redis:
        ledger = Ledger(redis, settings.namespace, timing)
        register = Register(redis, settings.namespace, ledger, timing)
        records = await register.records(await register.portals())
    return next((record.portal_id for record in records if not record.void), None)
