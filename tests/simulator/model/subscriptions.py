"""What an app wants to be told."""

from collections.abc import Sequence

import msgspec

from tests.simulator.model.calls import CALL_TYPE

SUBSCRIBED = (
    "hs_timestamp",
    "hs_call_title",
    "hs_call_body",
    "hs_call_direction",
    "hs_call_status",
    "hs_call_disposition",
    "hs_call_duration",
    "hs_call_from_number",
    "hs_call_to_number",
    "hs_call_callee_object_id",
    "hs_call_callee_object_type",
    "hs_call_recording_url",
    "hs_call_source",
    "hs_call_app_id",
    "hs_call_external_id",
    "hs_call_has_voicemail",
    "hs_call_summary",
    "hubspot_owner_id",
    "hs_activity_type",
    "hs_attachment_ids",
)
"""The properties that an app subscribes to unless told otherwise."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """What an app wants to be told."""

    id: int
    event_type: str
    property_name: str = ""
    object_type_id: str = CALL_TYPE
    active: bool = True
    created_at: int = 0
    updated_at: int = 0


def default_subscriptions(first_id: int, properties: Sequence[str]) -> list[Subscription]:
    """Return every kind of subscription to calls, one per property."""
    kinds = ("creation", "deletion", "restore", "merge", "associationChange")
    wanted = [(f"object.{kind}", "") for kind in kinds]
    wanted += [("object.propertyChange", name) for name in properties]
    return [
        Subscription(id=first_id + place, event_type=kind, property_name=name)
        for place, (kind, name) in enumerate(wanted)
    ]
