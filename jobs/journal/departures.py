"""What follows from an account's coming and going.

The journal may tell of the past, and of another app than the one whose token reads the account's
calls. So its word closes nothing by itself: HubSpot is asked whether the account's token still
works.
"""

from typing import Final

import structlog

from jobs.context import Context
from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.journal.entry import Move

WHY: Final = "the app was uninstalled"
_CLOSED: Final = frozenset({"unauthorised", "disconnected"})

_log = structlog.get_logger(__name__)


async def follow(context: Context, move: Move) -> None:
    """Close an account that uninstalled the app; an install is noted: its consent connects it.

    Where HubSpot does not say now whether the token works, the account's next read will find out.

    Raises:
        redis.RedisError: Redis is away.
    """
    portal_id = move.portal_id
    is_open = (await context.ledger.door(portal_id)).open
    if move.installed or not is_open:
        word = "installed" if move.installed else "uninstalled"
        _log.info("the journal tells of an account", portal_id=portal_id, app=word, open=is_open)
        return
    try:
        await context.hubspot.confirm_token(portal_id)
    except HubSpotError as error:
        if not isinstance(error, PortalFailure) or error.kind not in _CLOSED:
            _log.warning("uninstall not confirmed", portal_id=portal_id, reason=str(error))
            return
        await context.ledger.disconnect(portal_id, WHY)
        _log.warning("account disconnected", portal_id=portal_id, reason=WHY)
    else:
        _log.info("uninstall told, and the token works", portal_id=portal_id)
