"""Definitions of call properties: HubSpot's own, and those that an account adds."""

from collections.abc import Mapping, Sequence

import msgspec

FIELD_TYPES = {
    "string": "text",
    "number": "number",
    "datetime": "date",
    "date": "date",
    "enumeration": "select",
    "bool": "booleancheckbox",
    "phone_number": "phonenumber",
}
"""The usual field type of each type."""


class Option(msgspec.Struct, frozen=True, rename="camel"):
    """One value of an enumeration."""

    label: str
    value: str
    hidden: bool = False
    display_order: int = -1


class Modification(msgspec.Struct, frozen=True, rename="camel"):
    """What may be changed about a property."""

    archivable: bool
    read_only_definition: bool
    read_only_value: bool
    read_only_options: bool = False


class Definition(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One property, in HubSpot's own words."""

    name: str
    label: str
    type: str
    field_type: str
    group_name: str
    description: str
    options: Sequence[Option]
    modification_metadata: Modification
    created_at: str = ""
    updated_at: str = ""
    archived_at: str = ""
    archived: bool = False
    display_order: int = -1
    calculated: bool | None = None
    external_options: bool | None = None
    has_unique_value: bool = False
    hidden: bool | None = None
    hubspot_defined: bool | None = None
    form_field: bool | None = None
    data_sensitivity: str = ""

    @property
    def read_only(self) -> bool:
        """True if only HubSpot sets values."""
        return self.modification_metadata.read_only_value


class Group(msgspec.Struct, frozen=True, rename="camel"):
    """A group of properties."""

    name: str
    label: str
    display_order: int = -1
    archived: bool = False


CALL_GROUP = Group("call", "Call Information")

_OPTIONS = {
    "hs_call_direction": ("INBOUND", "OUTBOUND"),
    "hs_call_status": (
        "BUSY",
        "CALLING_CRM_USER",
        "CANCELED",
        "COMPLETED",
        "CONNECTING",
        "FAILED",
        "HOLD",
        "IN_PROGRESS",
        "MISSED",
        "NO_ANSWER",
        "QUEUED",
        "RINGING",
        "UNKNOWN",
    ),
}
READ_ONLY = frozenset(
    {
        "hs_object_id",
        "hs_createdate",
        "hs_lastmodifieddate",
        "hs_merged_object_ids",
        "hs_body_preview",
        "hs_body_preview_html",
        "hs_body_preview_is_truncated",
        "hs_object_source",
        "hs_object_source_id",
        "hs_object_source_label",
        "hs_read_only",
        "hs_was_imported",
    }
)
UNIQUE = frozenset({"hs_object_id", "hs_unique_creation_key"})


def define(name: str, kind: str) -> Definition:
    """Return the definition of one of HubSpot's own properties."""
    words = name.removeprefix("hs_").removeprefix("hubspot_").replace("_", " ")
    return Definition(
        name,
        words.capitalize(),
        kind,
        "html" if name == "hs_call_body" else FIELD_TYPES[kind],
        CALL_GROUP.name,
        f"HubSpot's property for the {words}.",
        [
            Option(value.replace("_", " ").capitalize(), value, display_order=place)
            for place, value in enumerate(_OPTIONS.get(name, ()))
        ],
        Modification(
            archivable=False, read_only_definition=True, read_only_value=name in READ_ONLY
        ),
        created_at="2019-08-06T02:41:08.029Z",
        updated_at="2026-01-14T09:00:00.000Z",
        has_unique_value=name in UNIQUE,
        hidden=False,
        hubspot_defined=True,
        form_field=False,
        calculated=False,
        external_options=name == "hubspot_owner_id",
        data_sensitivity="non_sensitive",
    )


def own_definitions(types: Mapping[str, str]) -> dict[str, Definition]:
    """Return HubSpot's own definitions by name."""
    return {name: define(name, kind) for name, kind in sorted(types.items())}
