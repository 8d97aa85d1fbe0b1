"""HubSpot's consent page: where a user lets the app into an account, and for what.

The page belongs to HubSpot's website, `app.hubspot.com`, and not to its API. Accounts of other data
centres have a website and an API host of their own, such as `api-eu1.hubapi.com`; the page at
`app.hubspot.com` leads to the right one by itself.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from jobs.config.values import ANYONE, Secret

_API_HOST: Final = re.compile(r"api(-[a-z0-9]+)?\.hubapi\.com")

CALLS: Final = ("oauth", "crm.objects.contacts.read")
"""Scopes that reading calls needs: HubSpot asks for that of contacts."""
ASSOCIATED: Final[Mapping[str, str]] = {
    "contacts": "crm.objects.contacts.read",
    "companies": "crm.objects.companies.read",
    "deals": "crm.objects.deals.read",
    "tickets": "tickets",
}
"""The scope that reading associations with objects of a type needs."""


def scopes_for(associations: Collection[str]) -> tuple[str, ...]:
    """Return the scopes that reading calls with these associations needs.

    HubSpot refuses an install that asks for others than the app requires, so the app's own list
    must be the same.
    """
    kinds = ASSOCIATED if ANYONE in associations else associations
    wanted = [ASSOCIATED.get(kind, f"crm.objects.{kind}.read") for kind in kinds]
    return tuple(dict.fromkeys((*CALLS, *wanted)))


def consent_page(api_url: str) -> str:
    """Return the address of the page that belongs to the API at `api_url`.

    An API elsewhere than at HubSpot, such as a stand-in, has it on its own origin.
    """
    url = urlsplit(api_url)
    host = _API_HOST.fullmatch(url.netloc)
    if host is None:
        return f"{url.scheme}://{url.netloc}/oauth/authorize"
    return f"https://app{host[1] or ''}.hubspot.com/oauth/authorize"


def challenge_of(verifier: Secret) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.reveal().encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def consent_url(  # noqa: PLR0913 - the parameters of the page, all by name
    page: str,
    *,
    client_id: str,
    redirect_url: str,
    scopes: Collection[str],
    state: str,
    challenge: str,
) -> str:
    """Return where a browser is sent to ask for consent."""
    query = {
        "client_id": client_id,
        "redirect_uri": redirect_url,
        "scope": " ".join(scopes),
        "state": state,
        "response_type": "code",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{page}?{urlencode(query)}"
