"""`GET /schemas/openapi.json`: the service's HTTP interface as an OpenAPI document."""

from importlib.metadata import version
from typing import Any, Final

from litestar import Request
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from service.front_door.webhooks import PATH as WEBHOOK

OPERATOR: Final = "operator"
"""The document's name for whoever shows ADMIN_TOKEN."""
_PROBLEM: Final = {
    "description": "What went wrong, as problem details (RFC 9457).",
    "content": {"application/problem+json": {"schema": {"type": "object"}}},
}
_HEADER: Final = {"in": "header", "required": True, "schema": {"type": "string"}}
_WEBHOOK: Final[dict[str, object]] = {
    "post": {
        "operationId": "TakeNotifications",
        "summary": "HubSpot's notifications, up to MAX_BODY, each body signed",
        "parameters": [
            {"name": "X-HubSpot-Signature-v3", **_HEADER},
            {"name": "X-HubSpot-Request-Timestamp", **_HEADER},
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": ["array", "object"], "items": {"type": "object"}}
                }
            },
        },
        "responses": {
            "204": {"description": "Every notification is safe, as DURABILITY promises."},
            **dict.fromkeys(("400", "401", "405", "408", "413", "415", "503"), _PROBLEM),
        },
    }
}
"""The front door reads its requests itself, so Litestar does not know what it takes."""


class _WithFrontDoor(JsonRenderPlugin):
    """Serves the document with the front door in it."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document as JSON."""
        paths = {WEBHOOK: _WEBHOOK, **openapi_schema["paths"]}
        return super().render(request, {**openapi_schema, "paths": paths})


def openapi() -> OpenAPIConfig:
    """Return what Litestar needs to describe the service and to serve that."""
    bearer = SecurityScheme(type="http", scheme="bearer", description="`ADMIN_TOKEN`")
    return OpenAPIConfig(
        title="Callstream",
        version=version("callstream"),
        description="HubSpot calls as an ordered, complete stream on Redis.",
        path="/schemas",
        render_plugins=[_WithFrontDoor()],
        use_handler_docstrings=True,
        components=Components(security_schemes={OPERATOR: bearer}),
    )
