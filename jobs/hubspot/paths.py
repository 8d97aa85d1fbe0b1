"""Where HubSpot's API is asked: one path style for `v3`, one for the date versions.

From HubSpot's OpenAPI files. `/crm/objects/2026-03/calls` is fixed there while 2025-09 and 2026-09
have `/crm/objects/<version>/{objectType}`, which comes to the same path. Associations are `v4`
beside `v3` objects, and dated beside dated ones.
"""

import re
from typing import Final
from urllib.parse import quote

_DATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}(-beta)?")
_OAUTH: Final = ("v3", "2026-03", "2026-09")
"""Versions of the token endpoints that name the account in their answer; `v1` does not, and ends
in February 2027."""
_OAUTH_OTHERWISE: Final = "2026-03"
_PLAIN_WEBHOOKS: Final = ("v3", "2026-03")
"""Versions of the webhooks API whose path begins with `webhooks`; others have `app-webhooks`."""


class Paths:
    """The paths of one API version."""

    def __init__(self, version: str) -> None:
        """Speak `version`: `v3`, or a date version such as `2026-03`.

        Raises:
            ValueError: it is neither.
        """
        if version == "v3":
            self._calls = "/crm/v3/objects/calls"
            self._associations = "/crm/v4/associations/calls"
            self._properties = "/crm/v3/properties/calls"
        elif _DATED.fullmatch(version):
            self._calls = f"/crm/objects/{version}/calls"
            self._associations = f"/crm/associations/{version}/calls"
            self._properties = f"/crm/properties/{version}/calls"
        else:
            msg = "HUBSPOT_API_VERSION is neither v3 nor a date version such as 2026-03"
            raise ValueError(msg)
        self.call_schema = f"/crm-object-schemas/{version}/schemas/calls"
        """What calls are, the types that they can be associated with among it."""
        self.account = f"/account-info/{version}/details"
        """Whose token it is."""
        self.dispositions = "/calling/v1/dispositions"
        """The account's call outcomes; has no newer version."""
        self.token = f"/oauth/{version if version in _OAUTH else _OAUTH_OTHERWISE}/token"
        """Gives OAuth tokens."""
        self.introspection = f"{self.token}/introspect"
        """What an OAuth token may do."""
        self.private_app = "/oauth/v2/private-apps/get/access-token-info"
        """What a static token may do; has no newer version."""
        base = "webhooks" if version in _PLAIN_WEBHOOKS else "app-webhooks"
        self._webhooks = f"/{base}/{version}"

    @property
    def calls(self) -> str:
        """The listing of calls."""
        return self._calls

    @property
    def properties(self) -> str:
        """The definitions of call properties."""
        return self._properties

    @property
    def batch_read(self) -> str:
        """Up to a hundred calls at once."""
        return f"{self._calls}/batch/read"

    @property
    def search(self) -> str:
        """Calls by their properties, later than they change."""
        return f"{self._calls}/search"

    def subscriptions(self, app_id: int) -> str:
        """Return the path of an app's webhook subscriptions."""
        return f"{self._webhooks}/{app_id}/subscriptions"

    def webhook_settings(self, app_id: int) -> str:
        """Return the path of where an app's notifications go."""
        return f"{self._webhooks}/{app_id}/settings"

    def call(self, call_id: str) -> str:
        """Return the path of one call."""
        return f"{self._calls}/{quote(call_id, safe='')}"

    def associations(self, to_type: str) -> str:
        """Return the path of up to a hundred calls' associations with objects of one type."""
        return f"{self._associations}/{quote(to_type, safe='')}/batch/read"
