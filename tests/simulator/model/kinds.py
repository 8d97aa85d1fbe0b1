"""Object types and the associations between a call and them, as HubSpot numbers them."""

from typing import Final

from tests.simulator.model.calls import CALL_TYPE

TYPE_IDS = {
    "calls": CALL_TYPE,
    "contacts": "0-1",
    "companies": "0-2",
    "deals": "0-3",
    "tickets": "0-5",
    "leads": "0-136",
    "vehicles": "2-3453932",
}
"""Object type ids by plural name; vehicles are a custom object."""

SINGULAR = {
    "calls": "call",
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "tickets": "ticket",
    "leads": "lead",
    "vehicles": "vehicle",
}

USUAL: Final[tuple[str, ...]] = ("contacts", "companies", "deals", "tickets")
"""The types that an account has from the beginning; it may get others."""
LISTED_AS = {"vehicles": "p_vehicles"}
"""The names under which listings show the associations of custom objects."""

FROM_CALL = {
    "contacts": 194,
    "companies": 182,
    "deals": 206,
    "tickets": 220,
    "leads": 597,
    "vehicles": 18,
}
"""HubSpot's association type ids, from a call."""
TO_CALL = {
    "contacts": 193,
    "companies": 181,
    "deals": 205,
    "tickets": 219,
    "leads": 596,
    "vehicles": 17,
}
"""The same, towards a call."""

_NAMES = {
    alias: plural
    for plural, type_id in TYPE_IDS.items()
    for alias in (plural, SINGULAR[plural], type_id)
}


def plural(name: str) -> str | None:
    """Return the plural name of an object type given by any of its names; None if unknown."""
    return _NAMES.get(name.lower())
