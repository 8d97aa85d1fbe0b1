"""The reconciliations that make a deployment whole again where Redis lost too much."""

from typing import Final

from jobs.reconciliation.runs import Ask
from jobs.reconciliation.store import Reconciliations
from tests.support.waiting import until

WITHIN_S: Final = 60.0
"""For one run."""
POLL_S: Final = 0.05


async def finish_standing(store: Reconciliations, portal_id: int) -> bool:
    """Wait for what the deployment does by itself; tell whether there was anything.

    Raises:
        TimeoutError: it does not end.
    """

    async def is_done() -> bool:
        standing = await store.standing(portal_id)
        return standing.run is None and standing.asked is None

    if await is_done():
        return False
    await until(is_done, timeout_s=WITHIN_S, every_s=POLL_S)
    return True


async def ask_for_round(store: Reconciliations, portal_id: int) -> str:
    """Have everything compared once, as an operator would.

    Raises:
        TimeoutError: the round does not end.
    """
    asked = await store.ask(portal_id, Ask(id="chaos", full=True))

    async def is_done() -> bool:
        last = (await store.standing(portal_id)).last
        return last is not None and last.id == asked

    await until(is_done, timeout_s=WITHIN_S, every_s=POLL_S)
    return "asked"
