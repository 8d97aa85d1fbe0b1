"""Object types and the associations between a call and them, as HubSpot numbers them."""

from tests.simulator.model.calls import CALL_TYPE

TYPE_IDS = {
    "calls": CALL_TYPE,
    "contacts": "0-1",
    "companies": "0-2",
    "deals": "0-3",
    "tickets": "0-5",
}
"""Object type ids by plural name."""

SINGULAR = {
    "calls": "call",
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "tickets": "ticket",
}

FROM_CALL = {"contacts": 194, "companies": 182, "deals": 206, "tickets": 220}
"""HubSpot's association type ids, from a call."""
TO_CALL = {"contacts": 193, "companies": 181, "deals": 205, "tickets": 219}
"""The same, towards a call."""

_NAMES = {
    alias: plural
    for plural, type_id in TYPE_IDS.items()
    for alias in (plural, SINGULAR[plural], type_id)
}


def plural(name: str) -> str | None:
    """Return the plural name of an object type given by any of its names; None if unknown."""
    return _NAMES.get(name.lower())
