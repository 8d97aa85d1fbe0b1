"""HubSpot's consent page: where it is, and what it is asked."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config.values import Secret
from jobs.hubspot.consent import challenge_of, consent_page, consent_url, scopes_for


@pytest.mark.parametrize(
    ("api_url", "page"),
    [
        ("https://api.hubapi.com", "https://app.hubspot.com/oauth/authorize"),
        ("https://api-eu1.hubapi.com", "https://app-eu1.hubspot.com/oauth/authorize"),
        ("http://127.0.0.1:8020", "http://127.0.0.1:8020/oauth/authorize"),
        ("https://proxy.example.com/hubspot", "https://proxy.example.com/oauth/authorize"),
        ("https://api.hubapi.com.evil.com", "https://api.hubapi.com.evil.com/oauth/authorize"),
    ],
)
def test_the_page_belongs_to_the_api(api_url: str, page: str) -> None:
    """HubSpot's API has its page on HubSpot's website, any other on its own origin."""
    assert consent_page(api_url) == page


@pytest.mark.parametrize(
    ("associations", "scopes"),
    [
        ((), ("oauth", "crm.objects.contacts.read")),
        (("contacts",), ("oauth", "crm.objects.contacts.read")),
        (
            ("contacts", "companies", "deals", "tickets"),
            (
                "oauth",
                "crm.objects.contacts.read",
                "crm.objects.companies.read",
                "crm.objects.deals.read",
                "tickets",
            ),
        ),
        (("leads",), ("oauth", "crm.objects.contacts.read", "crm.objects.leads.read")),
    ],
)
def test_scopes_follow_what_is_read(associations: tuple[str, ...], scopes: tuple[str, ...]) -> None:
    """Calls need the scope of contacts, associations that of their type."""
    assert scopes_for(associations) == scopes


def test_all_associations_need_all_scopes() -> None:
    """With `*` the scopes of all types that have a name are asked for."""
    assert set(scopes_for(("*",))) == set(scopes_for(("contacts", "companies", "deals", "tickets")))


def test_the_challenge_is_that_of_the_standard() -> None:
    """The S256 challenge is that of the example in RFC 7636, appendix B."""
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@given(state=st.text(min_size=1), redirect=st.text(min_size=1), scope=st.text(min_size=1))
def test_everything_arrives_as_it_is(state: str, redirect: str, scope: str) -> None:
    """Whatever the parameters hold, the page gets it unchanged."""
    url = consent_url(
        "https://app.hubspot.com/oauth/authorize",
        client_id="a&b=c",
        redirect_url=redirect,
        scopes=[scope],
        state=state,
        challenge="x",
    )
    query = parse_qs(urlsplit(url).query, keep_blank_values=True)
    assert query["state"] == [state]
    assert query["redirect_uri"] == [redirect]
    assert query["scope"] == [scope]
    assert query["client_id"] == ["a&b=c"]
    assert query["code_challenge_method"] == ["S256"]
