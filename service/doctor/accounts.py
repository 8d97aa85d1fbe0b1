"""Whether accounts can install the app, and whether those that have can be read."""

from collections.abc import Collection, Sequence

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.accounts.opening import oauth_of
from jobs.accounts.register import Record, Register
from jobs.accounts.tokens import unseal
from jobs.accounts.vault import SealedError, Vault
from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.hubspot.errors import GrantRefused, HubSpotError
from jobs.hubspot.transport import Transport
from jobs.instants import ms_to_text
from jobs.ledger.ledger import Ledger, pulse_of
from jobs.pulse.pulse import emptied_at
from jobs.redis import connect
from jobs.timing import Timing
from service.doctor.findings import Finding, Notes
from service.doctor.telling import some, told
from service.inquiry import takes_installs

_IMPORT = "bring them back: callstream accounts import an export; or let them install again"
_NO_TOKEN = Secret("of-nobody")
"""What no app ever got: asked to refresh it, HubSpot answers who we are to it, and no more."""


class Installs(msgspec.Struct, frozen=True, kw_only=True):
    """The installed accounts, as Redis keeps them."""

    records: Sequence[Record]
    strangers: Collection[int]
    """Accounts that notifications named and that nobody has connected."""
    sealed: Collection[int]
    """Accounts whose tokens do not open under our keys."""
    emptied_at: int | None
    """When Redis was found to have lost all it held, tokens included, in its epoch ms."""
    outdated: int
    """Accounts whose tokens are not encrypted under the newest key."""


async def examine_accounts(settings: Settings, transport: Transport) -> Sequence[Finding]:
    """Examine the app and its installs; nothing where the settings know of no app."""
    notes = Notes("accounts")
    if not takes_installs(settings):
        return ()
    judge_app(await _refusal(settings, transport), notes)
    if not settings.redis_url:
        notes.warning("installs", "not checked: REDIS_URL is not set", "set REDIS_URL")
        return notes.findings
    try:
        async with connect(settings.redis_url, retries=0) as redis:
            installed = await _installed(settings, redis)
    except (RedisError, OSError) as error:
        said = f"not checked: Redis is away ({type(error).__name__})"
        notes.warning("installs", said, "see to Redis first")
    else:
        judge_installs(installed, notes)
    return notes.findings


async def _refusal(settings: Settings, transport: Transport) -> HubSpotError | None:
    try:
        await oauth_of(settings, transport).renew(_NO_TOKEN)
    except HubSpotError as error:
        return error
    return None


async def _installed(settings: Settings, redis: Redis) -> Installs:
    timing = Timing()
    ledger = Ledger(redis, settings.namespace, timing)
    register = Register(redis, settings.namespace, ledger, timing)
    records = await register.records(await register.portals())
    vault = Vault(settings.token_keys)
    sealed = [record.portal_id for record in records if not _opens(vault, record)]
    return Installs(
        records=records,
        strangers=await ledger.strangers(),
        emptied_at=await emptied_at(redis, pulse_of(redis, settings.namespace, timing).key),
        sealed=sealed,
        outdated=sum(not vault.is_current(r.sealed) for r in records) - len(sealed),
    )


def _opens(vault: Vault, record: Record) -> bool:
    try:
        unseal(vault, record.portal_id, record.sealed)
    except SealedError:
        return False
    return True


def judge_app(refusal: HubSpotError | None, notes: Notes) -> None:
    """Judge by how HubSpot refuses a token that no app ever got whether it knows the app."""
    if isinstance(refusal, GrantRefused):
        notes.ok("app", "HubSpot knows HUBSPOT_CLIENT_ID and its secret")
    elif refusal is not None:
        notes.problem("app", *told(refusal))


def judge_installs(installed: Installs, notes: Notes) -> None:
    """Judge the accounts that have installed the app, and those that have not."""
    records = installed.records
    void = [record for record in records if record.void]
    failing = [record for record in records if record.failure and not record.void]
    lost = _lost(installed)
    if not records and lost:
        notes.warning("installs", f"none: {lost}", _IMPORT)
    elif not records:
        notes.warning("installs", "none yet", "invite an account: callstream accounts add")
    elif void:
        said = f"{len(void)} of {len(records)} disconnected: {some(_why(void))}"
        notes.warning("installs", said, "let them install again, or callstream accounts remove")
    else:
        notes.ok("installs", f"{len(records)}")
    if failing:
        said = f"not refreshed of account {some(str(record.portal_id) for record in failing)}"
        notes.warning("tokens", said, "the workers try again; their log says why")
    _judge_keys(installed, notes)
    if installed.strangers:
        said = f"from account {some(map(str, sorted(installed.strangers)))}, not installed here"
        todo = "invite it: callstream accounts add, or uninstall the app there"
        notes.warning(
            "notifications", f"{said}: {lost}" if lost else said, _IMPORT if lost else todo
        )


def _lost(installed: Installs) -> str:
    """Return when tokens went with Redis' data; empty if they did not."""
    if installed.emptied_at is None:
        return ""
    return f"Redis lost its data at {ms_to_text(installed.emptied_at)}, and their tokens with it"


def _why(records: Sequence[Record]) -> list[str]:
    return [f"{record.portal_id} ({record.void})" for record in records]


def _judge_keys(installed: Installs, notes: Notes) -> None:
    if installed.sealed:
        said = f"the tokens of {some(map(str, installed.sealed))} do not open"
        todo = "put back the key that they were encrypted under, at the end of TOKEN_KEYS"
        notes.problem("keys", said, todo)
    elif installed.outdated:
        said = f"{installed.outdated} accounts are encrypted under an older one"
        notes.warning("keys", said, "run callstream accounts rotate, then remove the older key")
    elif installed.records:
        notes.ok("keys", "all tokens open under the newest")
