"""What a HubSpot app must be told so that its notifications arrive: the URL and the subscriptions.

Calls have no webhook type of their own; they come through the generic `object.*` subscriptions for
the object type `call` (`0-48`), one per property for changes of properties. An app of the developer
platform is told in a file of its project, the webhooks component ("Configure webhooks" in HubSpot's
documentation), whose form is `Component`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from jobs.config.settings import Settings
from jobs.config.values import ANYONE

WEBHOOK_PATH: Final = "/webhooks/hubspot"
"""Where the service receives notifications, under PUBLIC_URL."""
OBJECT_TYPE: Final = "0-48"
"""HubSpot's id of the object type call."""
OBJECT_NAME: Final = "call"
"""Its name in a project file; HubSpot shows the form with `contact` and lists no other values."""
ABOUT_CALLS: Final = (
    "object.creation",
    "object.deletion",
    "object.restore",
    "object.merge",
    "object.associationChange",
)
"""One subscription each."""
ABOUT_PROPERTIES: Final = "object.propertyChange"
"""One subscription per property."""
UNSUBSCRIBABLE: Final = frozenset({"hs_lastmodifieddate", "hs_createdate", "hs_object_id"})
"""HubSpot's own bookkeeping; it refuses `hs_lastmodifieddate` (webhooks guide)."""
MOST: Final = 1_000
"""Subscriptions that an app may have (webhooks guide)."""
IN_FLIGHT: Final = 10
"""Requests that HubSpot may have in flight per account: its own default, and the service answers
each within milliseconds."""


class TooManySubscriptionsError(Exception):
    """More properties are read than an app may subscribe to."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One subscription, as a project file writes it."""

    subscription_type: str
    object_type: str
    property_name: str = ""
    active: bool


class _Settings(msgspec.Struct, frozen=True, rename="camel"):
    target_url: str
    max_concurrent_requests: int


class _Subscriptions(msgspec.Struct, frozen=True, rename="camel"):
    crm_objects: Sequence[Subscription]


class _Config(msgspec.Struct, frozen=True):
    settings: _Settings
    subscriptions: _Subscriptions


class Component(msgspec.Struct, frozen=True):
    """The webhooks component of an app's project: `src/app/webhooks/webhooks-hsmeta.json`."""

    uid: str
    type: str
    config: _Config

    def as_file(self) -> str:
        """Return the text of the file."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"


def target_url(settings: Settings) -> str:
    """Return the URL that HubSpot is to call."""
    return f"{settings.public_url}{WEBHOOK_PATH}"


def subscribable(names: Iterable[str]) -> list[str]:
    """Return the properties that can be subscribed to, in their order."""
    return [name for name in names if name not in UNSUBSCRIBABLE]


def component(url: str, names: Iterable[str]) -> Component:
    """Return the webhooks component for notifications to `url` about the properties `names`.

    Raises:
        TooManySubscriptionsError: an app may not have so many.
    """
    pairs = [(kind, "") for kind in ABOUT_CALLS]
    pairs += [(ABOUT_PROPERTIES, name) for name in subscribable(names)]
    wanted = [
        Subscription(
            subscription_type=kind, object_type=OBJECT_NAME, property_name=name, active=True
        )
        for kind, name in pairs
    ]
    if len(wanted) > MOST:
        msg = (
            f"{len(wanted)} subscriptions are more than the {MOST} that HubSpot allows an app: "
            "name in CALL_PROPERTIES what you need"
        )
        raise TooManySubscriptionsError(msg)
    config = _Config(_Settings(url, IN_FLIGHT), _Subscriptions(wanted))
    return Component("callstream_webhooks", "webhooks", config)


def properties(settings: Settings) -> Sequence[str]:
    """Return the properties to subscribe to; empty where all of the account's are read."""
    return subscribable(name for name in settings.call_properties if name != ANYONE)


def instructions(settings: Settings) -> list[str]:
    """Return what to enter in the HubSpot app, for the eyes, line by line."""
    names = properties(settings)
    return [
        "In your HubSpot app, set up webhooks:",
        f"  target URL     {target_url(settings)}",
        f"  object type    call ({OBJECT_TYPE})",
        *(f"  subscription   {name}" for name in ABOUT_CALLS),
        *(f"  subscription   {ABOUT_PROPERTIES} of {name}" for name in names),
        *([] if names else [f"  subscription   {ABOUT_PROPERTIES} of every property you read"]),
    ]
