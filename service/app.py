"""The service's application: routes, plugins, lifespan."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from litestar import Litestar

from jobs import logs
from jobs.config.settings import Settings, environment, load
from service.context import open_context, verifier_of
from service.front_door.webhooks import hubspot_webhook
from service.headers import add_security_headers
from service.health import live, ready
from service.litestar_cli import RunsOnGranian
from service.oauth.routes import callback, install
from service.operations import operations
from service.operations.dead_letters import DEAD_LETTERS
from service.operations.reconciliations import RECONCILING
from service.operations.status import DESK
from service.problems import problem_details
from service.schemas import openapi


def create_app(*, settings: Settings | None = None) -> Litestar:
    """Return the application, by `settings` or else those of the environment and `.env`.

    Without `settings` it sets up the process' logging as well: an ASGI server then started it.

    Raises:
        SettingsError: settings are missing or wrong.
        ValueError: `settings` have no secret or no public URL.
    """
    chosen = settings or load(environment(), role="service")
    if settings is None:
        logs.configure(chosen.log_level, chosen.log_format)

    verifier = verifier_of(chosen)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncGenerator[None]:
        async with open_context(chosen, verifier) as context:
            app.state["front_door"] = context.front_door
            app.state["checks"] = context.checks
            app.state["installs"] = context.installs
            app.state["backfills"] = context.backfills
            app.state[RECONCILING] = context.reconciling
            app.state[DESK] = context.desk
            app.state[DEAD_LETTERS] = context.dead_letters
            yield

    installing = [install, callback] if chosen.hubspot_client_id else []
    return Litestar(
        route_handlers=[hubspot_webhook, live, ready, operations(chosen), *installing],
        plugins=[problem_details(), RunsOnGranian()],
        lifespan=[lifespan],
        before_send=[add_security_headers],
        openapi_config=openapi(),
        logging_config=None,
    )
