"""The rules with one taken out, in the model and in the script, and what that breaks."""

from typing import NamedTuple

from tests.model.histories import history
from tests.model.world import BACK_FROM_ERASURE, Scenario


class Variant(NamedTuple):
    """One rule, or one half of it, that is taken out."""

    name: str
    """Its name in `Rules`."""
    text: str
    """The script's text that keeps it."""
    instead: str
    scenario: Scenario
    """A world in which it is missed."""
    breaks: str
    """The promise that is then broken."""


_BACK = "associations go back"
_PROPERTIES_BACK = "properties go back"
_WRONG_END = "the last event is not HubSpot's state"

VARIANTS = (
    Variant(
        "overtaken",
        "if candidate.ticket <= record.stamp and not same then return {'overtaken'} end",
        "",
        Scenario(history("a")),
        _BACK,
    ),
    Variant(
        "lagging",
        "if is_older(candidate, record) and not same then",
        "if false then",
        Scenario(history("p"), lag=True),
        _PROPERTIES_BACK,
    ),
    Variant(
        "insisting",
        "reverted = times >= INSISTS and now - since >= batch.revert_after",
        "",
        Scenario(history("pv")),
        "it never comes to rest",
    ),
    Variant(
        "patient",
        "reverted = times >= INSISTS and now - since >= batch.revert_after",
        "reverted = times >= INSISTS",
        Scenario(history("p"), lag=True),
        _PROPERTIES_BACK,
    ),
    Variant(
        "unchanged",
        "if same then return confirm(candidate, record) end",
        "",
        Scenario(history("p")),
        "an event repeats the state before it",
    ),
    Variant(
        "confirming",
        "record.stamp = clock",
        "",
        Scenario(history("ar")),
        _WRONG_END,
    ),
    Variant(
        "renewing",
        "record.updated_at = math.max(record.updated_at, candidate.updated_at)",
        "",
        Scenario(history("pb"), lag=True),
        _WRONG_END,
    ),
    Variant(
        "rising",
        "clock = math.max(clock, last.version + 1)",
        "",
        Scenario(history("p"), forgetful=True),
        "the sequence does not increase",
    ),
    Variant(
        "stamping",
        "stamp = clock,\n    updated_at = reverted",
        "stamp = 0,\n    updated_at = reverted",
        Scenario(history("a")),
        _BACK,
    ),
    Variant(
        "erasing",
        "if record.state == STATES.erased then return candidate.state == 'live' end",
        "",
        Scenario(history("e"), lag=True),
        BACK_FROM_ERASURE,
    ),
    Variant(
        "hiding",
        "or (record.state == STATES.erased and candidate.state ~= 'live')",
        "",
        Scenario(history("xe"), lag=True),
        BACK_FROM_ERASURE,
    ),
    Variant(
        "remembering",
        "if candidate.state == 'erased' then return note_erasure(candidate) end",
        "",
        Scenario(history("e"), lag=True),
        BACK_FROM_ERASURE,
    ),
)
