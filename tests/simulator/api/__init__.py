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
    journal_filters,
    journal_subscriptions,
    oauth,
    objects,
    owners,
    properties,
    property_batches,
    schemas,
    search,
    tokens,
    webhook_subscriptions,
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
    *schemas.ROUTES,
    *owners.ROUTES,
    *account.ROUTES,
    *oauth.ROUTES,
    *tokens.ROUTES,
    *webhooks.ROUTES,
    *webhook_subscriptions.ROUTES,
    *journal.ROUTES,
    *journal_subscriptions.ROUTES,
    *journal_filters.ROUTES,
]
"""Every route of HubSpot's that is simulated."""
