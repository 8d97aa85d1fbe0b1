"""Builds the install flow of one service process."""

from contextlib import AsyncExitStack

from jobs.accounts.invitations import Invitations
from jobs.accounts.opening import oauth_of
from jobs.accounts.pending import PendingInstalls
from jobs.accounts.register import Register
from jobs.accounts.vault import Vault
from jobs.config.settings import Settings
from jobs.hubspot.identity import Identity
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Transport, open_session
from jobs.ledger.ledger import Ledger
from jobs.queue import Doorbells
from jobs.redis import connect
from jobs.timing import Timing
from service.oauth.flow import InstallFlow
from service.oauth.routes import InstallRoutes


async def open_installs(
    settings: Settings, timing: Timing, doorbells: Doorbells, stack: AsyncExitStack
) -> InstallRoutes | None:
    """Return the flow, on a Redis client and an HTTP session of its own; None without an app."""
    if not settings.hubspot_client_id:
        return None
    redis, namespace = connect(settings.redis_url), settings.namespace
    stack.push_async_callback(redis.aclose)
    session = await stack.enter_async_context(open_session())
    transport = Transport(session, settings.hubspot_api_url, timing)
    vault = Vault(settings.token_keys)
    flow = InstallFlow(
        settings,
        register=Register(redis, namespace, Ledger(redis, namespace, timing), timing),
        vault=vault,
        invitations=Invitations(redis, namespace),
        pending=PendingInstalls(redis, namespace, vault, timing.install_ms),
        oauth=oauth_of(settings, transport),
        identify=Identity(transport, Paths(settings.hubspot_api_version)),
        doorbells=doorbells,
    )
    return InstallRoutes(flow, settings, timing)
