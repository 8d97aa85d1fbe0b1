"""`POST /ops/reconciliations`: asks a worker to look for what no notification told of.

A handler for the operators' router, which guards it: on its own it lets everybody in.
"""

from typing import Annotated, Final

import msgspec
from litestar import post
from litestar.datastructures import State
from litestar.exceptions import HTTPException, ValidationException
from litestar.params import JSONBody
from litestar.status_codes import HTTP_202_ACCEPTED, HTTP_409_CONFLICT, HTTP_503_SERVICE_UNAVAILABLE

from jobs.reconciliation.operate import NotConnectedError, Reconciling, SinceError
from jobs.redis import TRANSIENT
from service.problems import RETRY_AFTER_S

RECONCILING: Final = "reconciling"
"""Where the application's state holds `jobs.reconciliation.operate.Reconciling`."""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be reconciled."""

    portal_id: Annotated[int, msgspec.Meta(ge=1)]
    since: str = ""
    """RFC 3339; empty, or later than the last search, means since that."""
    full: bool = False
    """Whether to list all calls as well."""


class Accepted(msgspec.Struct, frozen=True):
    """A worker will do it."""

    id: str
    """Of the run to come; `GET /ops/status` shows it when it runs, and when it has ended."""


@post("/reconciliations", status_code=HTTP_202_ACCEPTED)
async def start_reconciliation(data: JSONBody[Wanted], state: State) -> Accepted:
    """Ask for a run; an earlier request that no worker has taken up yet then covers both."""
    reconciling: Reconciling = state[RECONCILING]
    try:
        run_id = await reconciling.start(data.portal_id, since=data.since, full=data.full)
    except SinceError as error:
        raise ValidationException(str(error)) from error
    except NotConnectedError as error:
        raise HTTPException(str(error), status_code=HTTP_409_CONFLICT) from error
    except TRANSIENT as error:
        away = "Redis is away"
        raise HTTPException(
            away,
            status_code=HTTP_503_SERVICE_UNAVAILABLE,
            headers={"Retry-After": str(RETRY_AFTER_S)},
        ) from error
    return Accepted(run_id)
