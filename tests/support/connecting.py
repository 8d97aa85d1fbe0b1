"""A fleet whose account has no token in the settings: it installs the app while all runs."""

from typing import Final

from jobs.config.values import Secret
from tests.support.browser import Browser
from tests.support.fleet import Fleet
from tests.support.installs import new_key
from tests.support.served import Reply

CALLBACK: Final = "/oauth/callback"


class Connecting(Fleet):
    """Services and workers of an app that any account may install."""

    key: Secret
    """The one under which tokens are sealed."""

    async def connect(self, portal_id: int | None = None) -> Reply:
        """Let an account, the first one by default, install the app; return the last page."""
        browser = Browser(next(iter(self.ports.values())))
        return await browser.install(portal_id or self.portal_id)

    def _settings(self) -> dict[str, str]:
        self.key = new_key()
        return {
            **super()._settings(),
            "HUBSPOT_ACCESS_TOKEN": "",
            "HUBSPOT_CLIENT_ID": self.running.client_id,
            "HUBSPOT_REDIRECT_URL": f"{self.public_url}{CALLBACK}",
            "TOKEN_KEYS": self.key.reveal(),
            "OAUTH_ALLOWED_PORTALS": "*",
            **self.plan.environ,
        }

    async def _all_work(self) -> bool:
        beating = await self.redis.zcard(f"{self.plan.namespace}:ledger:fleet")
        return bool(beating >= len(self.workers))
