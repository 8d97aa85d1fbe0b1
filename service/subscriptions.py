"""What a HubSpot app must be told so that its notifications arrive: the URL and the subscriptions.

Calls have no webhook type of their own; they come through the generic `object.*` subscriptions for
the object type `call` (`0-48`), one per property for changes of properties.
"""

from collections.abc import Sequence
from typing import Final

from jobs.settings import Settings
from jobs.values import ANYONE

WEBHOOK_PATH: Final = "/webhooks/hubspot"
"""Where the service receives notifications, under PUBLIC_URL."""
OBJECT_TYPE: Final = "0-48"
"""HubSpot's id of the object type call."""
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


def properties(settings: Settings) -> Sequence[str]:
    """Return the properties to subscribe to; empty where all of the account's are read."""
    return [
        name for name in settings.call_properties if name != ANYONE and name not in UNSUBSCRIBABLE
    ]


def instructions(settings: Settings) -> list[str]:
    """Return what to enter in the HubSpot app, for the eyes, line by line."""
    names = properties(settings)
    return [
        "In your HubSpot app, set up webhooks:",
        f"  target URL     {settings.public_url}{WEBHOOK_PATH}",
        f"  object type    call ({OBJECT_TYPE})",
        *(f"  subscription   {name}" for name in ABOUT_CALLS),
        *(f"  subscription   {ABOUT_PROPERTIES} of {name}" for name in names),
        *([] if names else [f"  subscription   {ABOUT_PROPERTIES} of every property you read"]),
    ]
