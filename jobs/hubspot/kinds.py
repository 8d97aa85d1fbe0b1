"""HubSpot's object types: their ids, and the names under which calls are associated with them.

Ids and names as HubSpot's guide to its object APIs and its paths (`/crm/objects/<version>/notes`)
have them. An account's custom objects have ids such as `2-3453932`, by which they go here, too.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CALLS: Final = "0-48"
"""The type of calls."""

TYPE_IDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "contacts": "0-1",
        "companies": "0-2",
        "deals": "0-3",
        "tickets": "0-5",
        "products": "0-7",
        "line_items": "0-8",
        "quotes": "0-14",
        "communications": "0-18",
        "feedback_submissions": "0-19",
        "tasks": "0-27",
        "notes": "0-46",
        "meetings": "0-47",
        "emails": "0-49",
        "invoices": "0-53",
        "subscriptions": "0-69",
        "commerce_payments": "0-101",
        "users": "0-115",
        "postal_mail": "0-116",
        "orders": "0-123",
        "leads": "0-136",
        "carts": "0-142",
        "services": "0-162",
        "courses": "0-410",
        "listings": "0-420",
        "appointments": "0-421",
    }
)
"""Name -> type id, of HubSpot's own types that calls may be associated with."""

NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {type_id: name for name, type_id in TYPE_IDS.items()}
)
"""Type id -> name."""


def type_id_of(kind: str) -> str:
    """Return the type id of a kind that is named by either; other names are left as they are."""
    return TYPE_IDS.get(kind, kind)
