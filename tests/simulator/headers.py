"""The headers of a request that carries notifications."""

from tests.simulator.clock import wall_ms
from tests.simulator.knobs import Knobs
from tests.simulator.model.apps import App
from tests.simulator.signatures import sign_v1, sign_v2, sign_v3

USER_AGENT = (
    "HubSpot Connect 2.0 (http://dev.hubspot.com/) "
    "(namespace: webhooks-nio-http-client) - WebhooksExecutorDaemon-executor"
)


def signed_headers(app: App, body: bytes, knobs: Knobs) -> dict[str, str]:
    """Return the headers of one request; v3 stands beside the older signature."""
    timestamp = wall_ms() + knobs.signature_skew_ms
    headers = {
        "Content-Type": "application/json",
        "X-HubSpot-Request-Timestamp": str(timestamp),
        "X-HubSpot-Signature-v3": sign_v3(
            app.client_secret, "POST", app.target_url, body, timestamp
        ),
        "X-HubSpot-Timeout-Millis": "10000",
    }
    if knobs.legacy_signature != "none":
        headers["X-HubSpot-Signature-Version"] = knobs.legacy_signature
        headers["X-HubSpot-Signature"] = (
            sign_v1(app.client_secret, body)
            if knobs.legacy_signature == "v1"
            else sign_v2(app.client_secret, "POST", app.target_url, body)
        )
    return headers
