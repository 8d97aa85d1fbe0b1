"""The HTTP edge: one module per API family of HubSpot, and the control API."""

from litestar.handlers import HTTPRouteHandler

from tests.simulator.api import (
    account,
    association_batches,
    associations,
    batch,
    batch_edits,
    edits,
    journal,
    journal_admin,
    oauth,
    objects,
    owners,
    properties,
    property_batches,
    search,
    tokens,
    webhooks,
)

ROUTES: list[HTTPRouteHandler] = [
    *objects.ROUTES,
    *batch.ROUTES,
    *search.ROUTES,
    *edits.ROUTES,
    *batch_edits.ROUTES,
    *associations.ROUTES,
    *association_batches.ROUTES,
    *properties.ROUTES,
    *property_batches.ROUTES,
    *owners.ROUTES,
    *account.ROUTES,
    *oauth.ROUTES,
    *tokens.ROUTES,
    *webhooks.ROUTES,
    *journal.ROUTES,
    *journal_admin.ROUTES,
]
"""Every route of HubSpot's that is simulated."""
