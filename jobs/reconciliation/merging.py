"""Calls that were merged away untold: only the call that survived still names them.

A merge moves the survivor's `updatedAt`, and the survivor's `hs_merged_object_ids` lists the
others, which HubSpot itself no longer answers for.
"""

from collections.abc import Sequence

from jobs.hubspot.record import as_id
from jobs.hubspot.schema import Call
from jobs.hubspot.searching import MERGED
from jobs.ledger.hints import Hint
from jobs.reconciliation.comparing import View
from jobs.reconciliation.tools import Tools


def merged_ids(call: Call) -> list[str]:
    """Return the calls that were merged into this one, as far as their ids are readable."""
    named = (call.properties.get(MERGED) or "").split(";")
    return [found for text in named if (found := as_id(text.strip())) and found != call.id]


async def merged_away(tools: Tools, calls: Sequence[Call], how: str) -> list[tuple[str, Hint]]:
    """Return marks for the calls that were merged into these and that we still hold for live.

    Raises:
        StaleProjectionError: the streams know a newer projection.
        redis.RedisError: Redis is away.
    """
    into = {merged: call.id for call in calls for merged in merged_ids(call)}
    # Any time of ours is later than none, so what is the same here is live, whatever it holds.
    views = [View(merged, "live", 0) for merged in into]
    compared = await tools.context.comparer.compare(
        tools.portal_id, tools.projection.generation, views, confirms=False
    )
    return [
        (
            view.call_id,
            Hint(
                "merge",
                target=into[view.call_id],
                origin="reconciliation",
                found=how,
                right_at=one.stamp,
            ),
        )
        for view, one in zip(views, compared, strict=True)
        if one.outcome == "same"
    ]
