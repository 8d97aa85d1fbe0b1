"""Routes for operators, all under `/ops`, behind one guard."""

from litestar import Router

from jobs.config.settings import Settings
from service.operations.backfills import cancel, look, pause, resume, start
from service.operations.dead_letters import (
    drop_letter,
    list_letters,
    look_at_letter,
    replay_letters,
)
from service.operations.guard import operators_only
from service.operations.reconciliations import start_reconciliation
from service.operations.status import look as look_at_all
from service.schemas import OPERATOR

PATH = "/ops"


def operations(settings: Settings) -> Router:
    """Return the routes, open to whoever has ADMIN_TOKEN."""
    return Router(
        PATH,
        route_handlers=[
            look_at_all,
            start,
            look,
            cancel,
            pause,
            resume,
            start_reconciliation,
            list_letters,
            look_at_letter,
            drop_letter,
            replay_letters,
        ],
        guards=[operators_only(settings.admin_token)],
        security=[{OPERATOR: []}],
    )
