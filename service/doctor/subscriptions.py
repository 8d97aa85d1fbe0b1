"""Whether the app is subscribed to what is read, as far as HubSpot tells.

HubSpot tells an app's subscriptions only through the management API of legacy apps, and only to who
may manage them. Of others it can only be said what they should be.
"""

from collections.abc import Iterable, Sequence

import msgspec
from redis.exceptions import RedisError

from jobs.config.settings import Settings
from jobs.config.values import ANYONE
from jobs.hubspot.errors import HubSpotError
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Request, Transport
from jobs.hubspot.webhooks import WebhookSubscription, decode_subscriptions, decode_target_url
from service.doctor.findings import Finding, Notes
from service.doctor.subject import Subject, subject_of
from service.doctor.telling import some
from service.inquiry import Inquiry
from service.subscriptions import (
    ABOUT_CALLS,
    ABOUT_PROPERTIES,
    MOST,
    OBJECT_TYPE,
    subscribable,
    target_url,
)

UPLOAD = "save what callstream subscriptions prints in the app's project, and upload it"


class Told(msgspec.Struct, frozen=True):
    """What HubSpot tells of an app's webhooks."""

    url: str
    subscriptions: Sequence[WebhookSubscription]


async def examine_subscriptions(
    settings: Settings, transport: Transport, portal_id: int | None
) -> Sequence[Finding]:
    """Compare the app's subscriptions with what is read."""
    notes = Notes("subscriptions")
    try:
        subject = await subject_of(settings, transport, portal_id)
    except (HubSpotError, RedisError, OSError):  # told by the account's own group
        subject = None
    if subject is None:
        notes.warning("app", "not checked: there is no token to ask with", UPLOAD)
        return notes.findings
    inquiry = Inquiry(transport, Paths(settings.hubspot_api_version), subject.token)
    wanted = await _wanted(inquiry, settings)
    if len(ABOUT_CALLS) + len(wanted) > MOST:
        said = f"{len(wanted)} properties are read, an app may have {MOST} subscriptions"
        notes.problem("app", said, "name in CALL_PROPERTIES what you need")
    told = await _told(inquiry, subject)
    if told is None:
        count = len(ABOUT_CALLS) + len(wanted)
        said = f"HubSpot does not tell this token whether the app has the {count} it needs"
        notes.warning("app", said, UPLOAD)
    else:
        judge_target(told.url, settings, notes)
        judge_subscriptions(told.subscriptions, wanted, notes)
    return notes.findings


async def _wanted(inquiry: Inquiry, settings: Settings) -> list[str]:
    """Return the properties to subscribe to; none where they cannot be listed."""
    if ANYONE not in settings.call_properties:
        return subscribable(settings.call_properties)
    try:
        return subscribable(sorted(await inquiry.property_names()))
    except HubSpotError:  # told by the account's own group
        return []


async def _told(inquiry: Inquiry, subject: Subject) -> Told | None:
    try:
        app_id = (await inquiry.token_info(subject.app)).app_id
        if app_id is None:
            return None
        paths = inquiry.paths
        request = Request("GET", paths.subscriptions(app_id))
        subscriptions = await inquiry.decoded(request, decode_subscriptions)
        request = Request("GET", paths.webhook_settings(app_id))
        return Told(await inquiry.decoded(request, decode_target_url), subscriptions)
    except HubSpotError:
        return None


def judge_target(url: str, settings: Settings, notes: Notes) -> None:
    """Judge where the app's notifications go."""
    if not settings.public_url:
        notes.warning("target", f"{url}; PUBLIC_URL is not set", "set PUBLIC_URL")
    elif url == target_url(settings):
        notes.ok("target", url)
    else:
        said = f"notifications go to {url}, the service expects {target_url(settings)}"
        notes.problem("target", said, "change PUBLIC_URL, or the app's target URL")


def judge_subscriptions(
    found: Iterable[WebhookSubscription], wanted: Sequence[str], notes: Notes
) -> None:
    """Judge what the app's notifications are about."""
    about = {
        (entry.event_type, entry.property_name or ""): entry.active
        for entry in sorted(found, key=lambda entry: entry.active)  # an active one counts
        if entry.object_type_id == OBJECT_TYPE
    }
    needed = [(kind, "") for kind in ABOUT_CALLS] + [(ABOUT_PROPERTIES, name) for name in wanted]
    absent = [pair for pair in needed if pair not in about]
    paused = [pair for pair in needed if about.get(pair) is False]
    for word, pairs in (("missing", absent), ("paused", paused)):
        kinds = [kind for kind, name in pairs if not name]
        names = [name for _, name in pairs if name]
        if kinds:
            said = f"{some(kinds)}: such changes are not told"
            notes.problem(f"{word} kinds", said, UPLOAD)
        if names:
            said = f"{some(names)}: their changes are not told"
            notes.warning(f"{word} properties", said, UPLOAD)
    if not absent and not paused:
        notes.ok("app", f"all {len(needed)} are there and active")
