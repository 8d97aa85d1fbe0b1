"""What happened to a call, in one line: for whoever has to find out why it was lost."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from tests.chaos.scene import Scene
from tests.simulator.messages import TrueChange

SHOWN: Final = 4
LATEST: Final = 6


async def histories(scene: Scene, began_ms: int, lost: Iterable[str]) -> list[str]:
    """Return the histories of some lost calls, in seconds since `began_ms`."""
    named = [line.partition("call ")[2].partition(":")[0] for line in lost]
    ids = [*islice(dict.fromkeys(filter(None, named)), SHOWN)]
    if not ids:
        return []
    changes = await scene.hubspot.changes(scene.running.portal_id)
    over = f"fault over at {_s(scene.over_ms, began_ms)}"
    return [f"{_history(scene, call_id, changes, began_ms)}; {over}" for call_id in ids]


def _history(scene: Scene, call_id: str, changes: Sequence[TrueChange], began_ms: int) -> str:
    mine = [
        f"{change.kind} {_s(change.at, began_ms)} by {change.source}"
        for change in changes
        if call_id == change.call_id or call_id in change.other_ids
    ]
    told = [
        f"{seen.event.type.rpartition('.')[2]} {_s(seen.at_ms, began_ms)} from "
        f"{seen.event.data.origin}"
        for seen in scene.tail.seen
        if seen.event.subject == call_id
    ]
    return f"call {call_id}: {', '.join(mine[-LATEST:])}; events: {', '.join(told[-LATEST:])}"


def _s(at_ms: int, began_ms: int) -> str:
    return f"{(at_ms - began_ms) / 1000:+.2f}"
