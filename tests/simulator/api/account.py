"""What an account says about itself: `/account-info/…`, call outcomes."""

from datetime import UTC, datetime, timedelta

from litestar import Response, get

from tests.simulator.answers import answer
from tests.simulator.api.reading import of_version
from tests.simulator.caller import HubSpotRequest, caller_of
from tests.simulator.clock import iso
from tests.simulator.limits import zone

_DETAILS = ["/account-info/{version:str}/details"]
_USAGE = ["/account-info/{version:str}/api-usage/daily/private-apps"]


@get(_DETAILS, operation="account.details")
async def details(request: HubSpotRequest) -> Response[bytes]:
    """Return which account the token belongs to."""
    caller = of_version(request)
    account = caller.account
    local = datetime.fromtimestamp(caller.came_at / 1000, UTC).astimezone(zone(account.time_zone))
    shift = local.utcoffset() or timedelta()
    return answer(
        {
            "portalId": account.portal_id,
            "accountType": "STANDARD",
            "timeZone": account.time_zone,
            "companyCurrency": "USD",
            "additionalCurrencies": [],
            "utcOffset": local.isoformat()[-6:],
            "utcOffsetMilliseconds": round(shift.total_seconds() * 1000),
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
    )


@get(_USAGE, operation="account.usage")
async def usage(request: HubSpotRequest) -> Response[bytes]:
    """Return today's use of the daily quota."""
    caller = of_version(request)
    limits = caller.simulator.limits_of(caller.account.portal_id)
    entry = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": caller.simulator.knobs.daily_limit,
        "currentUsage": limits.used_today,
        "collectedAt": iso(caller.came_at),
        "fetchStatus": "SUCCESS",
        "resetsAt": iso(limits.resets_at(caller.came_at)),
    }
    return answer({"results": [entry]})


@get("/calling/v1/dispositions", operation="calls.dispositions")
async def dispositions(request: HubSpotRequest) -> Response[bytes]:
    """Return the account's call outcomes."""
    outcomes = caller_of(request).account.dispositions
    return answer([{"id": guid, "label": label} for guid, label in outcomes.items()])


ROUTES = [details, usage, dispositions]
