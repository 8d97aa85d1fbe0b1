"""`callstream accounts`, as an operator uses it."""

import itertools
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.accounts.listing import Account
from jobs.accounts.tokens import unseal
from jobs.accounts.vault import SealedError, Vault
from jobs.config.values import Secret
from jobs.deadletters.envelope import Envelope
from jobs.hubspot.oauth import Grant
from jobs.hubspot.transport import open_session
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.redis import command
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.support.browser import Browser
from tests.support.commands import CALLSTREAM, run_command
from tests.support.installs import App, new_key
from tests.support.served import served

pytestmark = pytest.mark.one_redis

OLD, NEW = new_key(), new_key()

_portals = itertools.count(850_000)

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
async def app(redis: Redis, namespace: str, simulator: Running) -> AsyncIterator[App]:
    """The app at the stand-in, its tokens under the old key."""
    async with open_session() as session:
        app = App(redis, namespace, simulator, session)
        app.vault = Vault([OLD])
        yield app


@pytest.fixture
def accounts(tmp_path: Path, redis_url: str, namespace: str) -> Run:
    """Runs `callstream accounts` with arguments, and with settings by name."""

    def run(*arguments: str, **settings: str) -> CompletedProcess[str]:
        own = {"REDIS_URL": redis_url, "NAMESPACE": namespace, **settings}
        return run_command([*CALLSTREAM, "accounts", *arguments], tmp_path, **own)

    return run


async def install(app: App, control: Control) -> tuple[int, Grant]:
    """Let a new account install the app."""
    portal_id = next(_portals)
    await control.open_account(portal_id, installed=False)
    return portal_id, await app.install(portal_id)


async def disconnect(app: App, portal_id: int, why: str) -> None:
    """Disconnect an account as a refused refresh does."""
    look = await app.register.look(portal_id, "a test")
    assert await app.register.disconnect(portal_id, look.version, why)


def listed(result: CompletedProcess[str]) -> dict[int, Account]:
    """Return what `list --json` printed."""
    assert result.returncode == 0, result.stderr
    found = msgspec.json.decode(result.stdout, type=list[Account])
    return {account.portal_id: account for account in found}


async def test_every_state_is_listed(
    app: App, accounts: Run, control: Control, redis: Redis
) -> None:
    """Connected, asleep, disconnected and unknown accounts are listed with the reason."""
    well, _ = await install(app, control)
    asleep, _ = await install(app, control)
    gone, _ = await install(app, control)
    await app.ledger.sleep(asleep, 60_000, "forbidden")
    await app.ledger.mark([Mark(well, "1", ()), Mark(777, "1", ()), Mark(777, "2", ())])
    await disconnect(app, gone, "HubSpot refuses its refresh token")
    await command(redis, "HSET", "tenant-1:accounts:owners", "fingerprint", well)

    found = listed(accounts("list", "--json"))

    assert {portal: account.state for portal, account in found.items()} == {
        777: "unknown",
        well: "connected",
        asleep: "asleep",
        gone: "disconnected",
    }
    assert found[777].why == f"no token for it; there is one for {well}"
    assert (found[777].due, found[well].due) == (2, 1)
    assert found[asleep].why == "forbidden"
    assert found[gone].why == "HubSpot refuses its refresh token"
    assert found[well].by == "install"
    assert found[well].token_until is not None

    shown = accounts("list")
    assert shown.returncode == 0
    for word in (str(well), "connected", "asleep", "disconnected", "unknown"):
        assert word in shown.stdout


async def test_why_an_account_was_closed_is_listed(
    app: App, accounts: Run, control: Control
) -> None:
    """An account that was closed while its refresh token still works is listed with that reason."""
    portal_id, _ = await install(app, control)
    await app.ledger.disconnect(portal_id, "the app was uninstalled")
    found = listed(accounts("list", "--json"))[portal_id]
    assert (found.state, found.why) == ("disconnected", "the app was uninstalled")


async def test_a_token_of_the_settings_is_listed(
    accounts: Run, redis: Redis, namespace: str
) -> None:
    """The account that the settings name is listed as such once a worker has connected it."""
    await Ledger(redis, namespace, Timing()).connect(62515)
    found = listed(accounts("list", "--json", HUBSPOT_PORTAL_ID="62515"))
    assert (found[62515].state, found[62515].by) == ("connected", "settings")


def test_no_accounts(accounts: Run, redis: Redis) -> None:
    """An empty list says how accounts come."""
    del redis
    result = accounts("list")
    assert (result.returncode, result.stdout) == (0, "")
    assert "callstream accounts add" in result.stderr
    assert msgspec.json.decode(accounts("list", "--json").stdout) == []


async def test_a_link_leads_to_a_connected_account(
    accounts: Run, redis: Redis, redis_url: str, simulator: Running, control: Control
) -> None:
    """The link that is printed lets the account in that it was made for."""
    portal_id = next(_portals)
    await control.open_account(portal_id, installed=False)
    settings = {
        "HUBSPOT_API_URL": simulator.url,
        "HUBSPOT_CLIENT_ID": simulator.client_id,
        "HUBSPOT_CLIENT_SECRET": simulator.client_secret,
        "HUBSPOT_REDIRECT_URL": "https://hooks.example.com/oauth/callback",
        "TOKEN_KEYS": OLD.reveal(),
    }
    made = accounts("add", "--portal", str(portal_id), "--json", **settings)
    assert made.returncode == 0, made.stderr
    told = msgspec.json.decode(made.stdout, type=dict[str, str | int])
    assert told["portal_id"] == portal_id
    assert str(told["expires_at"]).endswith("Z")
    url = urlsplit(str(told["url"]))
    assert (url.netloc, url.path) == ("hooks.example.com", "/oauth/install")
    with served(redis_url, **settings) as service:
        target = f"{url.path}?{url.query}"
        assert (await Browser(service.port).install(portal_id, target)).status == 200
    assert await redis.zscore("tenant-1:accounts:installed", str(portal_id)) is not None


def test_a_link_for_the_eyes(accounts: Run, simulator: Running, redis: Redis) -> None:
    """The link is all that stdout holds; what it is good for stands beside it."""
    del redis
    settings = {
        "HUBSPOT_CLIENT_ID": simulator.client_id,
        "HUBSPOT_CLIENT_SECRET": simulator.client_secret,
        "HUBSPOT_REDIRECT_URL": "https://example.com/calls/oauth/callback",
        "TOKEN_KEYS": OLD.reveal(),
    }
    made = accounts("add", "--expires", "30m", **settings)
    (link,) = made.stdout.splitlines()
    assert link.startswith("https://example.com/calls/oauth/install?invitation=")
    assert len(parse_qs(urlsplit(link).query)["invitation"][0]) == 43
    assert "one account, once" in made.stderr
    wrong = accounts("add", "--expires", "soon", **settings)
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("command_", "needed"),
    [
        (["list"], []),
        (["add"], ["HUBSPOT_CLIENT_ID", "HUBSPOT_CLIENT_SECRET", "HUBSPOT_REDIRECT_URL"]),
        (["rotate"], ["TOKEN_KEYS"]),
        (["export", "-"], ["TOKEN_KEYS"]),
        (["import", "-"], ["TOKEN_KEYS"]),
        (["remove", "1"], []),
    ],
)
def test_missing_settings_are_named(tmp_path: Path, command_: list[str], needed: list[str]) -> None:
    """Each command names every setting that it lacks, status 2."""
    result = run_command([*CALLSTREAM, "accounts", *command_], tmp_path)
    assert result.returncode == 2
    told = [
        line.removeprefix("callstream: ").partition(":")[0] for line in result.stderr.split("\n")
    ]
    assert {"REDIS_URL", *needed} <= set(told)
    assert "Traceback" not in result.stderr


async def test_keys_are_rotated(app: App, accounts: Run, control: Control, redis: Redis) -> None:
    """After the rotation the new key alone opens all tokens, and the old one none."""
    grants = dict([await install(app, control) for _ in range(3)])
    both = f"{NEW.reveal()},{OLD.reveal()}"

    result = accounts("rotate", "--json", TOKEN_KEYS=both)

    assert result.returncode == 0, result.stderr
    assert msgspec.json.decode(result.stdout) == {
        "rotated": 3,
        "current": 0,
        "unreadable": [],
        "outdated_letters": 0,
    }
    for record in await app.register.records(list(grants)):
        tokens = unseal(Vault([NEW]), record.portal_id, record.sealed)
        assert tokens.access == grants[record.portal_id].access
        with pytest.raises(SealedError):
            unseal(Vault([OLD]), record.portal_id, record.sealed)
    again = accounts("rotate", TOKEN_KEYS=NEW.reveal())
    assert again.stdout == "0 accounts rotated, 3 under the first key already\n"
    assert await redis.zcard("tenant-1:accounts:installed") == 3


async def test_a_key_that_is_missing_is_told(app: App, accounts: Run, control: Control) -> None:
    """Tokens that no key opens are named, status 1, and stay as they are."""
    portal_id, grant = await install(app, control)
    result = accounts("rotate", TOKEN_KEYS=NEW.reveal())
    assert result.returncode == 1
    assert str(portal_id) in result.stderr
    (record,) = await app.register.records([portal_id])
    assert unseal(app.vault, portal_id, record.sealed).refresh == grant.refresh


async def test_letters_under_the_old_key_are_told(accounts: Run, redis: Redis) -> None:
    """Dead letters keep the key that they were sealed under, and say so before it is given up."""
    ledgers = [Ledger(redis, "tenant-1", Timing(), Envelope(keys)) for keys in ([OLD], [NEW], [])]
    for ledger in ledgers:
        await ledger.mark([], [DeadLetter(reason="undecodable-call", error="odd", raw=b"bytes")])

    result = accounts("rotate", TOKEN_KEYS=f"{NEW.reveal()},{OLD.reveal()}")

    assert result.returncode == 0
    assert "1 dead letter opens under an older key only" in result.stderr
    again = accounts("rotate", TOKEN_KEYS=NEW.reveal())
    assert "1 dead letter opens under an older key only" in again.stderr


async def test_accounts_move(
    app: App, accounts: Run, control: Control, redis: Redis, tmp_path: Path
) -> None:
    """What is exported here connects the accounts there; the file is encrypted, and its owner's."""
    portal_id, grant = await install(app, control)
    gone, _ = await install(app, control)
    await disconnect(app, gone, "void")
    file = tmp_path / "accounts.json"

    out = accounts("export", str(file), "--json", TOKEN_KEYS=OLD.reveal())

    assert out.returncode == 0, out.stderr
    assert msgspec.json.decode(out.stdout) == {"accounts": 1, "left_out": [gone]}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for secret in (grant.access, grant.refresh):
        assert secret.reveal() not in file.read_text()

    await redis.flushall()
    keys = f"{NEW.reveal()},{OLD.reveal()}"
    into = accounts("import", str(file), "--json", TOKEN_KEYS=keys)
    assert into.returncode == 0, into.stderr
    assert msgspec.json.decode(into.stdout) == {"accounts": 1, "kept": []}
    app.vault = Vault([NEW])
    assert await app.process().token(portal_id) == grant.access
    assert await command(redis, "HGET", f"tenant-1:ledger:{portal_id}", "open") == b"1"


async def test_an_import_leaves_connected_accounts_alone(
    app: App, accounts: Run, control: Control, tmp_path: Path
) -> None:
    """An account that is connected keeps its tokens unless that is asked for."""
    portal_id, _ = await install(app, control)
    file = tmp_path / "accounts.json"
    accounts("export", str(file), TOKEN_KEYS=OLD.reveal())
    newer = await app.install(portal_id)

    result = accounts("import", str(file), TOKEN_KEYS=OLD.reveal())
    assert result.stdout == f"0 accounts imported; connected here already: {portal_id}\n"
    assert await app.process().token(portal_id) == newer.access

    result = accounts("import", "--replace", str(file), TOKEN_KEYS=OLD.reveal())
    assert result.stdout == "1 account imported\n"
    assert await app.process().token(portal_id) != newer.access


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "{}",
        '{"kind":"other","version":1,"accounts":0,"sealed":""}',
        '{"kind":"callstream-accounts","version":2,"accounts":0,"sealed":""}',
        '{"kind":"callstream-accounts","version":1,"accounts":0,"sealed":"forged"}',
    ],
)
def test_a_file_that_is_no_export(
    accounts: Run, redis: Redis, tmp_path: Path, content: str
) -> None:
    """Any other file is refused in one line, status 1."""
    del redis
    file = tmp_path / "file"
    file.write_text(content)
    result = accounts("import", str(file), TOKEN_KEYS=OLD.reveal())
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("callstream: ")


async def test_an_account_is_removed(
    app: App, accounts: Run, control: Control, redis: Redis
) -> None:
    """A removed account is gone from the list, and its tokens from Redis."""
    portal_id, _ = await install(app, control)
    await app.ledger.mark([Mark(portal_id, "1", ())])
    result = accounts("remove", str(portal_id), "--json")
    assert result.returncode == 0, result.stderr
    assert msgspec.json.decode(result.stdout, type=dict[str, int])["marks"] == 1
    assert listed(accounts("list", "--json")) == {}
    assert await redis.keys(f"*{portal_id}*") == []
    assert accounts("remove", str(portal_id)).stdout == (
        f"nothing is known of account {portal_id}\n"
    )


def test_the_settings_account_is_not_removed(accounts: Run, redis: Redis) -> None:
    """An account whose token is in the settings would come back: that is told instead, status 1."""
    del redis
    settings = {"HUBSPOT_ACCESS_TOKEN": "pat-na1-x", "HUBSPOT_PORTAL_ID": "62515"}
    result = accounts("remove", "62515", **settings)
    assert result.returncode == 1
    assert "HUBSPOT_ACCESS_TOKEN belongs to account 62515" in result.stderr
    assert accounts("remove", "777", **settings).returncode == 0


def test_a_value_of_a_secret_is_one(accounts: Run, redis: Redis) -> None:
    """A wrong key is refused without being repeated."""
    del redis
    result = accounts("rotate", TOKEN_KEYS="planted-wrong-key")
    assert result.returncode == 2
    assert "planted" not in result.stderr
    assert isinstance(OLD, Secret)
