"""Makes the journal's parts out of the settings."""

from dataclasses import dataclass

import aiohttp
from redis.asyncio import Redis

from jobs.config.settings import Settings
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Transport
from jobs.journal.api import JournalApi
from jobs.journal.files import Files
from jobs.journal.place import Place
from jobs.journal.subscriptions import Subscriptions
from jobs.journal.token import AppToken
from jobs.timing import Timing


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What reading the journal takes."""

    api: JournalApi
    files: Files
    place: Place
    subscriptions: Subscriptions


def journal_of(
    settings: Settings,
    redis: Redis,
    session: aiohttp.ClientSession,
    transport: Transport,
    timing: Timing,
) -> Journal | None:
    """Return the journal of the settings' app, None if they name none; nothing is asked yet."""
    if not settings.journal_client_id or settings.journal_client_secret is None:
        return None
    token = AppToken(
        transport,
        Paths(settings.hubspot_api_version),
        timing,
        client_id=settings.journal_client_id,
        client_secret=settings.journal_client_secret,
    )
    api = JournalApi(transport, token)
    place = Place(redis, settings.namespace, timing, settings.journal_client_id)
    return Journal(
        api=api,
        files=Files(session, settings.hubspot_api_url, timing),
        place=place,
        subscriptions=Subscriptions(api, place),
    )
