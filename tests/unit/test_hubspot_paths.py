"""The paths of both styles, held against HubSpot's OpenAPI files."""

import pytest

from jobs.hubspot.paths import Paths


def all_paths(version: str) -> list[str]:
    """Return every path that is asked."""
    paths = Paths(version)
    return [
        paths.calls,
        paths.batch_read,
        paths.call("512"),
        paths.associations("contacts"),
        paths.account,
        paths.dispositions,
        paths.properties,
        paths.call_schema,
    ]


def test_v3() -> None:
    """`v3` objects go with `v4` associations."""
    assert all_paths("v3") == [
        "/crm/v3/objects/calls",
        "/crm/v3/objects/calls/batch/read",
        "/crm/v3/objects/calls/512",
        "/crm/v4/associations/calls/contacts/batch/read",
        "/account-info/v3/details",
        "/calling/v1/dispositions",
        "/crm/v3/properties/calls",
        "/crm-object-schemas/v3/schemas/calls",
    ]


@pytest.mark.parametrize("version", ["2025-09", "2026-03", "2026-09", "2027-03-beta"])
def test_date_versions(version: str) -> None:
    """A date version stands after the API's name."""
    assert all_paths(version) == [
        f"/crm/objects/{version}/calls",
        f"/crm/objects/{version}/calls/batch/read",
        f"/crm/objects/{version}/calls/512",
        f"/crm/associations/{version}/calls/contacts/batch/read",
        f"/account-info/{version}/details",
        "/calling/v1/dispositions",
        f"/crm/properties/{version}/calls",
        f"/crm-object-schemas/{version}/schemas/calls",
    ]


@pytest.mark.parametrize("version", ["", "v4", "2026", "2026-03/../..", "2026-3", "v3 "])
def test_other_versions_are_refused(version: str) -> None:
    """A version that would make another path is a wrong setting."""
    with pytest.raises(ValueError, match="HUBSPOT_API_VERSION"):
        Paths(version)


def test_names_cannot_leave_their_place() -> None:
    """Types and ids are one segment each, whatever they contain."""
    paths = Paths("v3")

    assert paths.call("../7?x#y") == "/crm/v3/objects/calls/..%2F7%3Fx%23y"
    assert paths.associations("p/q") == "/crm/v4/associations/calls/p%2Fq/batch/read"


@pytest.mark.parametrize(
    ("version", "base"),
    [
        ("v3", "/webhooks/v3"),
        ("2025-09", "/app-webhooks/2025-09"),
        ("2026-03", "/webhooks/2026-03"),
        ("2026-09", "/app-webhooks/2026-09"),
        ("2027-03-beta", "/app-webhooks/2027-03-beta"),
    ],
)
def test_webhooks_change_their_base(version: str, base: str) -> None:
    """The management of webhooks lies under one of two bases, by version."""
    paths = Paths(version)
    assert paths.subscriptions(7) == f"{base}/7/subscriptions"
    assert paths.webhook_settings(7) == f"{base}/7/settings"
