"""The install flow: from a link, over HubSpot's consent page, to an account that is connected.

An install is bound to the browser that began it, by a word in a cookie, and comes back once, within
ten minutes. Nobody installs by surprise: OAUTH_ALLOWED_PORTALS or a link says who may. What another
account grants is dropped, not revoked: HubSpot does not say whether that would cut off another
deployment of the same app.
"""

import time
from collections.abc import Mapping
from enum import Enum
from hmac import compare_digest
from typing import Final, Literal

import msgspec
import structlog

from jobs.accounts.invitations import Invitation, Invitations
from jobs.accounts.pending import Pending, PendingInstalls
from jobs.accounts.register import Register
from jobs.accounts.static import Identify
from jobs.accounts.tokens import issue_of
from jobs.accounts.vault import Vault
from jobs.accounts.words import new_word, word_of
from jobs.config.settings import Settings
from jobs.config.values import ANYONE, Secret
from jobs.hubspot.consent import challenge_of, consent_page, consent_url, scopes_for
from jobs.hubspot.errors import GrantRefused, HubSpotError
from jobs.hubspot.oauth import Grant, OAuth
from jobs.queue import Doorbells

_LONGEST_CODE: Final = 1_024
_NO: Final = frozenset({400, 401, 403, 404})
"""Answers by which HubSpot is there and does not take what we say of our app: its id, its secret,
its redirect URL or HUBSPOT_API_VERSION."""

_log = structlog.get_logger(__name__)


class Reason(Enum):
    """Why an install did not come about."""

    LINK_NEEDED = "link-needed"
    LINK_SPENT = "link-spent"
    BUSY = "busy"
    NOT_BEGUN = "not-begun"
    DECLINED = "declined"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    MISCONFIGURED = "misconfigured"
    NOT_ALLOWED = "not-allowed"
    OTHER_ACCOUNT = "other-account"
    UNAVAILABLE = "unavailable"


class InstallError(Exception):
    """An install did not come about."""

    def __init__(self, reason: Reason, portal_id: int | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.portal_id = portal_id
        """The account that HubSpot named, where it had come to that."""


class Begun(msgspec.Struct, frozen=True):
    """An install that goes to HubSpot now."""

    url: str
    """Where the browser is sent."""
    browser: Secret
    """What its cookie is to hold."""


class InstallFlow:
    """The two steps of an install.

    Both raise `InstallError`, and `redis.RedisError` when Redis does not answer.
    """

    def __init__(  # noqa: PLR0913 - its parts, all by name
        self,
        settings: Settings,
        *,
        register: Register,
        vault: Vault,
        invitations: Invitations,
        pending: PendingInstalls,
        oauth: OAuth,
        identify: Identify,
        doorbells: Doorbells,
    ) -> None:
        """Connect accounts as `settings` allow.

        Args:
            settings: the app, who may install, and what is read.
            register: where tokens are kept.
            vault: seals them.
            invitations: the links that are out.
            pending: the installs on their way.
            oauth: HubSpot's token endpoints.
            identify: asks whose a token is, where HubSpot's answer to the code does not say.
            doorbells: wake the workers for a new account.
        """
        self._settings = settings
        self._register = register
        self._vault = vault
        self._invitations = invitations
        self._pending = pending
        self._oauth = oauth
        self._identify = identify
        self._doorbells = doorbells

    async def begin(self, link: str | None, cookie: str | None) -> Begun:
        """Begin an install, by a link's word or by leave of the settings.

        Args:
            link: the word of the link; None if none was used.
            cookie: what the browser's cookie holds; a browser may have several installs on the way.
        """
        invitation = await self._invited(link)
        browser = word_of(cookie) or new_word()
        state, verifier = new_word(), new_word()
        install = Pending(browser, verifier, invitation.digest if invitation else None)
        if not await self._pending.begin(state, install):
            raise InstallError(Reason.BUSY)
        settings = self._settings
        url = consent_url(
            consent_page(settings.hubspot_api_url),
            client_id=settings.hubspot_client_id,
            redirect_url=settings.hubspot_redirect_url,
            scopes=scopes_for(settings.call_associations),
            state=state.reveal(),
            challenge=challenge_of(verifier),
        )
        return Begun(url, browser)

    async def finish(self, query: Mapping[str, str], cookie: str | None) -> int:
        """Connect the account that HubSpot's answer is about, and return its portal id.

        Args:
            query: `state`, and `code` or `error`, as HubSpot's redirect brings them.
            cookie: what the browser's cookie holds.
        """
        state, browser = word_of(query.get("state")), word_of(cookie)
        install = await self._pending.take(state) if state and browser else None
        if install is None or browser is None or not _same(install.browser, browser):
            raise InstallError(Reason.NOT_BEGUN)
        if query.get("error"):
            raise InstallError(Reason.DECLINED)
        code = query.get("code", "")
        if not 0 < len(code) <= _LONGEST_CODE:
            raise InstallError(Reason.REFUSED)
        if install.invitation is None:
            return await self._connect(install, Secret(code), None)
        return await self._connect_invited(install, Secret(code), install.invitation)

    async def _invited(self, link: str | None) -> Invitation | None:
        """Return what the link is good for; None if none was used and none is needed."""
        if link is None:
            if not self._settings.oauth_allowed_portals:
                raise InstallError(Reason.LINK_NEEDED)
            return None
        word = word_of(link)
        invitation = await self._invitations.find(word) if word else None
        if invitation is None:
            raise InstallError(Reason.LINK_SPENT)
        return invitation

    async def _connect_invited(self, install: Pending, code: Secret, digest: str) -> int:
        """Connect the account by a link, which stays good if that surely did not come about."""
        taken = await self._invitations.take(digest)
        if taken is None:
            raise InstallError(Reason.LINK_SPENT)
        invitation, left_ms = taken
        try:
            return await self._connect(install, code, invitation)
        except InstallError:
            await self._invitations.give_back(invitation, left_ms)
            raise

    async def _connect(self, install: Pending, code: Secret, invitation: Invitation | None) -> int:
        began = time.monotonic()
        grant, portal_id = await self._granted(code, install.verifier)
        reason = self._forbids(portal_id, invitation)
        if reason is not None:
            _log.warning("install not allowed", portal_id=portal_id, reason=reason.value)
            raise InstallError(reason, portal_id)
        age_ms = round((time.monotonic() - began) * 1000)
        issue = issue_of(self._vault, portal_id, grant, age_ms)
        bells = await self._register.install(portal_id, issue)
        _log.info("account connected", portal_id=portal_id, by_link=invitation is not None)
        await self._doorbells.ring(bells)
        return portal_id

    async def _granted(self, code: Secret, verifier: Secret) -> tuple[Grant, int]:
        """Return the tokens that the code is good for, and whose they are."""
        reason: Reason
        try:
            grant = await self._oauth.redeem(code, verifier)
            if grant.portal_id is not None:
                return grant, grant.portal_id
            return grant, await self._identify(grant.access)
        except GrantRefused as refusal:
            reason = Reason.REFUSED
            _log.warning("install refused by HubSpot", reason=str(refusal))
        except HubSpotError as failure:
            reason = Reason.MISCONFIGURED if failure.status in _NO else Reason.UNREACHABLE
            _log.warning("install not finished", reason=str(failure))
        raise InstallError(reason)

    def _forbids(self, portal_id: int, invitation: Invitation | None) -> Reason | None:
        """Return why the account may not be connected, None if it may."""
        if invitation is not None:
            welcome = invitation.portal_id in (None, portal_id)
            return None if welcome else Reason.OTHER_ACCOUNT
        allowed: tuple[int, ...] | Literal["*"] = self._settings.oauth_allowed_portals
        welcome = allowed == ANYONE or portal_id in allowed
        return None if welcome else Reason.NOT_ALLOWED


def _same(one: Secret, other: Secret) -> bool:
    return compare_digest(one.reveal(), other.reveal())
