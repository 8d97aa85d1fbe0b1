"""The whole examination: all groups of checks at once, none in another's way."""

import asyncio
from collections.abc import Mapping
from itertools import chain

from service.doctor.accounts import examine_accounts
from service.doctor.clocks import examine_clocks
from service.doctor.findings import Report, guarded, report_of
from service.doctor.hubspot import examine_hubspot
from service.doctor.public_url import examine_public_url
from service.doctor.redis import examine_redis, examine_streams
from service.doctor.settings import judge_settings, usable
from service.doctor.subscriptions import examine_subscriptions
from service.inquiry import open_transport


async def examine(environ: Mapping[str, str], portal_id: int | None = None) -> Report:
    """Examine a deployment by its settings; never raises for what it finds.

    Args:
        environ: the settings, as the processes get them.
        portal_id: the account to ask about, where there are several; None = whichever is connected.
    """
    settings = usable(environ)
    async with open_transport(settings) as transport:
        groups = await asyncio.gather(
            guarded("redis", examine_redis(settings)),
            guarded("streams", examine_streams(settings)),
            guarded("hubspot", examine_hubspot(settings, transport, portal_id)),
            guarded("accounts", examine_accounts(settings, transport)),
            guarded("clocks", examine_clocks(settings, transport)),
            guarded("public url", examine_public_url(settings)),
            guarded("subscriptions", examine_subscriptions(settings, transport, portal_id)),
        )
    return report_of([*judge_settings(environ), *chain.from_iterable(groups)])
