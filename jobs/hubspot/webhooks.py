"""What HubSpot says about an app's webhooks: where they go, and about what.

From the webhooks management API, `/webhooks/<version>/<app>/...` or `/app-webhooks/...`. HubSpot
documents it for legacy public apps, and answers only who may manage the app.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from jobs.hubspot.answer import AnswerError
from jobs.hubspot.loose import DECODING


class WebhookSubscription(msgspec.Struct, frozen=True, rename="camel"):
    """One subscription of an app."""

    event_type: str
    """Such as `object.propertyChange`."""
    object_type_id: str | None = None
    """Of the generic subscriptions, `0-48` for calls."""
    property_name: str | None = None
    active: bool = False


class _Subscriptions(msgspec.Struct):
    results: Sequence[WebhookSubscription]


class _Settings(msgspec.Struct, rename="camel"):
    target_url: str


_subscriptions: Final = msgspec.json.Decoder(_Subscriptions)
_settings: Final = msgspec.json.Decoder(_Settings)


def decode_subscriptions(raw: bytes) -> Sequence[WebhookSubscription]:
    """Return an app's subscriptions; raises AnswerError if they are none."""
    try:
        return _subscriptions.decode(raw).results
    except DECODING as error:
        raise AnswerError.of(error) from None


def decode_target_url(raw: bytes) -> str:
    """Return where an app's notifications go; raises AnswerError if that is not said."""
    try:
        return _settings.decode(raw).target_url
    except DECODING as error:
        raise AnswerError.of(error) from None
