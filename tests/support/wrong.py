"""Calls of which the stream tells something else than HubSpot has."""

from tests.support.evidence import Evidence
from tests.support.invariants import State, by_call, published, true


def wrong_calls(evidence: Evidence) -> set[str]:
    """Return the calls whose last event is not HubSpot's truth, or that should have one."""
    events = by_call(evidence)
    wrong: set[str] = set()
    for call in evidence.truth.values():
        told = events.get(call.id, [])
        said: State | None = published(told[-1], evidence) if told else None
        is_so = true(call, evidence)
        if said is None and is_so.kind not in {"live", "archived"}:
            continue  # nobody has ever heard of it, and HubSpot has it no more
        if said != is_so:
            wrong.add(call.id)
    return wrong
