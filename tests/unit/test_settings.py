"""Settings from the environment and from `.env`."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config.settings import (
    DOCUMENTED_PROPERTIES,
    KINDS,
    Role,
    Settings,
    SettingsError,
    environment,
    load,
)
from jobs.config.values import Secret

ROLES: list[Role] = ["service", "worker", "run", "consumer"]
KEY = base64.urlsafe_b64encode(bytes(32)).decode()
COMPLETE = {
    "REDIS_URL": "redis://localhost:6379/0",
    "HUBSPOT_CLIENT_SECRET": "s3cret-of-the-app",
    "PUBLIC_URL": "https://calls.example.com",
    "HUBSPOT_ACCESS_TOKEN": "t0ken-of-the-account",
}
OAUTH = {
    "HUBSPOT_CLIENT_ID": "app-7",
    "HUBSPOT_REDIRECT_URL": "https://calls.example.com/oauth/callback",
    "TOKEN_KEYS": KEY,
}


def problems(environ: dict[str, str], role: Role) -> list[str]:
    """Return the names that the error names, none if there is no error."""
    try:
        load(environ, role=role)
    except SettingsError as error:
        return [problem.partition(":")[0] for problem in error.problems]
    return []


@pytest.mark.parametrize("role", ROLES)
def test_complete_settings_suit_every_role(role: Role) -> None:
    """With Redis, secret, public URL and token every process starts."""
    assert problems(COMPLETE, role) == []


@pytest.mark.parametrize(
    ("role", "missing"),
    [
        ("service", ["REDIS_URL", "HUBSPOT_CLIENT_SECRET", "PUBLIC_URL"]),
        ("worker", ["REDIS_URL", "HUBSPOT_ACCESS_TOKEN"]),
        ("run", ["HUBSPOT_CLIENT_SECRET", "PUBLIC_URL", "HUBSPOT_ACCESS_TOKEN"]),
        ("consumer", ["REDIS_URL"]),
    ],
)
def test_each_role_requires_what_it_uses(role: Role, missing: list[str]) -> None:
    """Every missing setting is named at once, and nothing that the role does not need."""
    assert problems({}, role) == missing


@given(names=st.sets(st.sampled_from(sorted(COMPLETE))), role=st.sampled_from(ROLES))
def test_an_empty_value_is_an_absent_one(names: set[str], role: Role) -> None:
    """A setting that is set to nothing is missed like one that is not set."""
    absent = {name: value for name, value in COMPLETE.items() if name not in names}
    empty = COMPLETE | dict.fromkeys(names, " ")
    assert problems(empty, role) == problems(absent, role)


def test_every_problem_is_listed_on_one_line() -> None:
    """Wrong and missing settings are told together, one line each, with what was expected."""
    wrong = {"PUBLIC_URL": "localhost", "WORKER_PORT": "http", "NAMESPACE": "a:b", "MAX_BODY": "1T"}
    with pytest.raises(SettingsError) as failure:
        load(wrong, role="worker")
    assert str(failure.value).splitlines() == [
        "NAMESPACE: must be 1 to 64 letters, digits, dots, underscores or hyphens, not 'a:b'",
        "PUBLIC_URL: must be an origin such as https://calls.example.com, without a path",
        "MAX_BODY: must be a number of bytes such as 1048576, 512KiB, 16MiB or 4GiB, not '1T'",
        "WORKER_PORT: must be a whole number from 0 to 65535, not 'http'",
        "REDIS_URL: is required by callstream worker",
        "HUBSPOT_ACCESS_TOKEN: is required, or HUBSPOT_CLIENT_ID for many accounts",
    ]


@given(
    environ=st.dictionaries(st.sampled_from([name.upper() for name in KINDS]), st.text()),
    role=st.sampled_from(ROLES),
)
def test_any_environment_is_loaded_or_refused_by_name(environ: dict[str, str], role: Role) -> None:
    """Whatever the environment holds, the outcome is settings or lines that start with names."""
    known = {name.upper() for name in KINDS}
    assert set(problems(environ, role)) <= known


@given(
    name=st.sampled_from(sorted(name for name, kind in KINDS.items() if kind.secret)),
    value=st.text(st.characters(categories=["L", "N"]), min_size=12).map(lambda v: f"{v} \t{v}"),
)
def test_a_wrong_secret_is_not_repeated(name: str, value: str) -> None:
    """The error about a secret, or a URL that may hold one, does not quote it."""
    with pytest.raises(SettingsError) as failure:
        load(COMPLETE | {name.upper(): value}, role="run")
    assert value.split(maxsplit=1)[0] not in str(failure.value)


def test_defaults_are_the_documented_ones() -> None:
    """Without further settings the contract's defaults hold."""
    settings = load(COMPLETE, role="run")
    expected = Settings(
        redis_url="redis://localhost:6379/0",
        streams_redis_url="redis://localhost:6379/0",
        hubspot_client_secret=(Secret("s3cret-of-the-app"),),
        public_url="https://calls.example.com",
        hubspot_access_token=Secret("t0ken-of-the-account"),
        namespace="",
        signature_versions=("v3",),
        max_body=16 * 1024 * 1024,
        backfill_on_connect="live",
        hubspot_api_url="https://api.hubapi.com",
        hubspot_api_version="2026-03",
        hubspot_rate_limit=100,
        budget_reserve=0.1,
        call_properties=DOCUMENTED_PROPERTIES,
        call_associations=("contacts", "companies", "deals", "tickets"),
        durability="memory",
        stream_partitions=1,
        stream_max_age=7 * 24 * 3600,
        reconcile_every=10 * 60,
        full_sweep_every=7 * 24 * 3600,
        dead_letter_max_age=30 * 24 * 3600,
        mark_max_age=90 * 24 * 3600,
        worker_port=9100,
        shutdown_grace=20,
        log_level="info",
        log_format=None,
    )
    assert settings == expected


def test_streams_may_live_elsewhere() -> None:
    """STREAMS_REDIS_URL parts the streams from the ledger, and may name a Redis Cluster."""
    settings = load(COMPLETE | {"STREAMS_REDIS_URL": "redis+cluster://a:7000"}, role="run")
    assert settings.redis_url == "redis://localhost:6379/0"
    assert settings.streams_redis_url == "redis+cluster://a:7000"


def test_run_needs_no_redis() -> None:
    """`callstream run` may do without REDIS_URL; both addresses are then empty."""
    settings = load({k: v for k, v in COMPLETE.items() if k != "REDIS_URL"}, role="run")
    assert (settings.redis_url, settings.streams_redis_url) == ("", "")


@pytest.mark.parametrize(
    ("value", "expected"), [("", ()), ("contacts", ("contacts",)), ("*", ("*",))]
)
def test_no_associations_is_a_choice(value: str, expected: tuple[str, ...]) -> None:
    """CALL_ASSOCIATIONS set to nothing reads none, unlike when it is absent."""
    assert load(COMPLETE | {"CALL_ASSOCIATIONS": value}, role="run").call_associations == expected


def test_many_accounts_need_keys_and_a_way_back() -> None:
    """OAuth needs secret, redirect URL and token keys, and no access token."""
    base = {"REDIS_URL": "redis://localhost"}
    assert problems(base | OAUTH | {"HUBSPOT_CLIENT_SECRET": "s"}, "worker") == []
    assert problems(base | {"HUBSPOT_CLIENT_ID": "app-7"}, "worker") == [
        "HUBSPOT_CLIENT_SECRET",
        "HUBSPOT_REDIRECT_URL",
        "TOKEN_KEYS",
    ]


@pytest.mark.parametrize("name", sorted(OAUTH.keys() - {"TOKEN_KEYS"}))
@pytest.mark.parametrize("role", ["service", "worker", "run"])
def test_a_part_of_oauth_is_not_enough(name: str, role: Role) -> None:
    """Each of the app's settings asks for the others: a worker must be able to refresh tokens."""
    missing = sorted(OAUTH.keys() - {name})
    assert sorted(problems(COMPLETE | {name: OAUTH[name]}, role)) == missing


@pytest.mark.parametrize("role", ["service", "worker", "run"])
def test_keys_may_stand_alone(role: Role) -> None:
    """TOKEN_KEYS asks for nothing beside it: it encrypts dead letters of one account as well."""
    assert problems(COMPLETE | {"TOKEN_KEYS": KEY}, role) == []


def test_the_way_back_leads_to_the_callback() -> None:
    """A redirect URL that the service does not answer is refused; a proxy's prefix is not."""
    wrong = {"HUBSPOT_REDIRECT_URL": "https://calls.example.com/callback"}
    assert problems(COMPLETE | OAUTH | wrong, "run") == ["HUBSPOT_REDIRECT_URL"]
    behind = {"HUBSPOT_REDIRECT_URL": "https://example.com/calls/oauth/callback"}
    assert problems(COMPLETE | OAUTH | behind, "run") == []


def test_commands_on_accounts_need_their_keys_only() -> None:
    """What only reads and rewrites Redis starts with the keys alone."""
    assert problems({"REDIS_URL": "redis://localhost", "TOKEN_KEYS": KEY}, "consumer") == []


@pytest.mark.parametrize("name", ["JOURNAL_CLIENT_ID", "JOURNAL_CLIENT_SECRET"])
def test_the_journal_needs_both(name: str) -> None:
    """The journal's id and secret are given both or not at all."""
    other = ({"JOURNAL_CLIENT_ID", "JOURNAL_CLIENT_SECRET"} - {name}).pop()
    assert problems(COMPLETE | {name: "x"}, "worker") == [other]


def test_settings_do_not_show_secrets() -> None:
    """The repr of settings holds no secret and no password of a URL."""
    hidden = {"REDIS_URL": "redis://u:pa55word@cache/0", "ADMIN_TOKEN": "4dmin"}
    settings = load(COMPLETE | OAUTH | hidden, role="run")
    told = repr(settings) + str(settings.__rich_repr__())
    for secret in ("pa55word", "4dmin", KEY, "s3cret-of", "t0ken-of"):
        assert secret not in told
    assert "redis://cache/0" in told


def test_a_file_stands_below_the_environment(tmp_path: Path) -> None:
    """What `.env` says counts unless the environment says otherwise."""
    file = tmp_path / ".env"
    file.write_text('# ours\nexport NAMESPACE=file\nLOG_LEVEL="debug" # loud\nADMIN_TOKEN=a$b#c\n')
    merged = environment({"NAMESPACE": "environment"}, file)
    assert merged == {"NAMESPACE": "environment", "LOG_LEVEL": "debug", "ADMIN_TOKEN": "a$b#c"}


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    """Without `.env` the environment stands alone."""
    assert environment({"A": "1"}, tmp_path / ".env") == {"A": "1"}


def test_a_broken_file_is_a_problem_with_its_line(tmp_path: Path) -> None:
    """A line of `.env` that cannot be understood is named by number, and not repeated."""
    file = tmp_path / ".env"
    file.write_text("NAMESPACE=a\nADMIN_TOKEN='open s3cret\n")
    with pytest.raises(SettingsError, match="line 2") as failure:
        environment({}, file)
    assert "s3cret" not in str(failure.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_an_unreadable_file_is_a_problem(tmp_path: Path, content: bytes | None) -> None:
    """A `.env` that is no text, or a folder, is a problem instead of a traceback."""
    file = tmp_path / ".env"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(SettingsError, match="cannot be read"):
        environment({}, file)
