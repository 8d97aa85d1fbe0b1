"""Every setting, read from the environment or `.env`: `docs/settings.md` is made from this module.

The environment name of a field is its name in capitals. An empty value counts as absent, except
for CALL_ASSOCIATIONS, where it means none.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args, get_type_hints

import msgspec
from dotenv.parser import parse_stream

from jobs.config import values
from jobs.config.urls import redacted
from jobs.config.values import Kind, Secret

Role = Literal["service", "worker", "run", "consumer", "tool"]
"""What a process is: the webhook service, a worker, both in one, a reader of the streams, or a
command that says itself what it needs."""

DOCUMENTED_PROPERTIES = (
    "hs_timestamp",
    "hs_call_title",
    "hs_call_body",
    "hs_call_direction",
    "hs_call_status",
    "hs_call_disposition",
    "hs_call_duration",
    "hs_call_from_number",
    "hs_call_to_number",
    "hs_call_callee_object_id",
    "hs_call_callee_object_type",
    "hs_call_recording_url",
    "hs_call_source",
    "hs_call_app_id",
    "hs_call_external_id",
    "hs_call_external_account_id",
    "hs_call_has_voicemail",
    "hs_call_has_transcript",
    "hs_call_transcription_id",
    "hs_call_summary",
    "hubspot_owner_id",
    "hs_activity_type",
    "hs_attachment_ids",
)
"""The properties of HubSpot's guide to the calls API, but for those that every answer holds."""


class SettingsError(Exception):
    """Settings are missing or wrong; each of `problems` is one line that starts with a name."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one process."""

    redis_url: Annotated[str, values.REDIS_URL] = ""
    """Queue, ledger, tokens, dead letters, and the streams unless `STREAMS_REDIS_URL` says
    otherwise. `redis://`, `rediss://`, `unix://`, or
    `redis+sentinel://host:port,host:port/service/db`. Required, but for `callstream run`, which
    embeds a server without it."""
    streams_redis_url: Annotated[str, values.STREAMS_URL] = ""
    """Where the call streams and their records live; `redis+cluster://` means Redis Cluster.
    Default: `REDIS_URL`."""
    namespace: Annotated[str, values.NAMESPACE] = ""
    """Prefix (`NAME:`) of every key and queue, so that two deployments may share a Redis: 1 to 64
    letters, digits, dots, underscores or hyphens. Default: none."""

    hubspot_client_secret: Annotated[tuple[Secret, ...], values.SECRETS] = ()
    """Signs the notifications. Several, comma-separated, while a secret is rotated; OAuth uses the
    first. Required by the service."""
    signature_versions: Annotated[
        tuple[Literal["v3", "v2", "v1"], ...], values.choices("v3", "v2", "v1")
    ] = ("v3",)
    """The signatures that are accepted: `v3`, or explicitly also `v2` and `v1`, which do not cover
    the time of the request."""
    public_url: Annotated[str, values.ORIGIN] = ""
    """The origin that HubSpot calls, such as `https://calls.example.com`; signatures are checked
    against this, never against a proxy's headers. Required by the service."""
    max_body: Annotated[int, values.SIZE] = 16 << 20
    """A larger notification body gets 413."""

    hubspot_access_token: Annotated[Secret | None, values.SECRET] = None
    """For one account: the token of a private app, a static-auth app or a service key."""
    hubspot_portal_id: Annotated[int | None, values.PORTAL] = None
    """The account that the token belongs to. Default: HubSpot is asked once."""
    hubspot_client_id: Annotated[str, values.WORD] = ""
    """For many accounts: the app's id, for OAuth."""
    hubspot_redirect_url: Annotated[str, values.CALLBACK_URL] = ""
    """For many accounts: where HubSpot sends the browser after an install, the service's
    `/oauth/callback`."""
    token_keys: Annotated[tuple[Secret, ...], values.FERNET_KEYS] = ()
    """Fernet keys, comma-separated, the newest first. They encrypt the accounts' tokens at rest,
    which needs them, and the bytes of dead letters, which are kept in the open without."""
    oauth_allowed_portals: Annotated[tuple[int, ...] | Literal["*"], values.PORTALS] = ()
    """Who may install: portal ids, or `*` for anyone. Default: only with a single-use link from
    `callstream accounts add`."""
    backfill_on_connect: Annotated[
        Literal["none", "live", "all"], values.choice("none", "live", "all")
    ] = "live"
    """Which calls a newly connected account brings: `none`, `live`, or `all` (archived too)."""

    journal_client_id: Annotated[str, values.WORD] = ""
    """The app that may read the Webhooks Journal. Default: the journal is not read."""
    journal_client_secret: Annotated[Secret | None, values.SECRET] = None
    """The secret of that app."""

    hubspot_api_url: Annotated[str, values.WEB_URL] = "https://api.hubapi.com"
    """Where HubSpot's API is."""
    hubspot_api_version: Annotated[str, values.API_VERSION] = "2026-03"
    """The style of its paths: `v3`, or a date version."""
    hubspot_rate_limit: Annotated[int, values.whole(1, 1_000_000)] = 100
    """Requests per 10 s that an account allows, until HubSpot's headers tell."""
    budget_reserve: Annotated[float, values.fraction(0, 1)] = 0.1
    """The share of an account's requests that is left to others on the same token."""
    call_properties: Annotated[tuple[str, ...], values.NAMES] = DOCUMENTED_PROPERTIES
    """The properties that are read, comma-separated; `*` = all that the account defines. Default:
    the documented call properties."""
    call_associations: Annotated[tuple[str, ...], values.NAMES] = (
        "contacts",
        "companies",
        "deals",
        "tickets",
    )
    """The kinds of object whose associations are read, comma-separated; `*` = all that the account
    defines; empty = none."""

    admin_token: Annotated[Secret | None, values.SECRET] = None
    """The bearer token of the operator routes, which answer 403 without one."""
    durability: Annotated[
        Literal["memory", "replicated", "fsync"], values.choice("memory", "replicated", "fsync")
    ] = "memory"
    """What `204` waits for: `memory`, `replicated` (WAIT) or `fsync` (WAITAOF, or a server with
    `appendfsync always`)."""

    stream_partitions: Annotated[int, values.whole(1, 1_024)] = 1
    """Into how many streams calls are divided; fixed once set."""
    consumer_groups: Annotated[tuple[str, ...], values.NAMES] = ()
    """Groups that retention must wait for, besides those that read within `STREAM_MAX_AGE`,
    comma-separated."""
    stream_max_age: Annotated[int, values.DURATION] = 7 * 86_400
    """How long events are kept: the promise."""
    stream_max_bytes: Annotated[int | None, values.SIZE] = None
    """How much memory streams may take per server: the fuse. Default: 60 % of the server's
    `maxmemory`, 4 GiB where that is unlimited."""

    reconcile_every: Annotated[int, values.DURATION] = 600
    """How often HubSpot is searched for changes that no notification told."""
    full_sweep_every: Annotated[int, values.DURATION] = 7 * 86_400
    """How often all calls of an account are compared."""
    dead_letter_max_age: Annotated[int, values.DURATION] = 30 * 86_400
    """How long dead letters are kept; they are looked through every ten minutes."""
    mark_max_age: Annotated[int, values.DURATION] = 90 * 86_400
    """How long the marks of an account are kept that is unknown or disconnected. What is given up
    is logged and counted. Marks of a connected account wait for as long as it takes."""

    worker_port: Annotated[int, values.PORT] = 9_100
    """The port of a worker's metrics and probes; `0` = none."""
    shutdown_grace: Annotated[int, values.DURATION] = 20
    """How long a process that was told to stop may finish what it began."""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        values.choice("debug", "info", "warning", "error"),
    ] = "info"
    """The least severe of what is logged: `debug`, `info`, `warning` or `error`."""
    log_format: Annotated[Literal["console", "json"] | None, values.choice("console", "json")] = (
        None
    )
    """How it is logged: `console` or `json`. Default: `console` on a terminal, else `json`."""

    timing_scale: Annotated[float, values.fraction(0.001, 1_000)] = 1.0
    """Multiplies every wait inside; for tests."""

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Return the fields, URLs without what they may hide."""
        fields = [(name, getattr(self, name)) for name in self.__struct_fields__]
        return [
            (name, redacted(value) if isinstance(value, str) and "://" in value else value)
            for name, value in fields
        ]

    def __repr__(self) -> str:
        """Return the fields, URLs without what they may hide."""
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"Settings({shown})"


KINDS: Mapping[str, Kind] = {
    name: next(part for part in get_args(hint) if isinstance(part, Kind))
    for name, hint in get_type_hints(Settings, include_extras=True).items()
}
"""How each field is read, in the order of the fields."""

REQUIRED: Mapping[Role, tuple[str, ...]] = {
    "service": ("redis_url", "hubspot_client_secret", "public_url"),
    "worker": ("redis_url",),
    "run": ("hubspot_client_secret", "public_url"),
    "consumer": ("redis_url",),
    "tool": (),
}
"""What each role cannot do without."""

OAUTH = ("hubspot_client_id", "hubspot_client_secret", "hubspot_redirect_url", "token_keys")
"""What accounts that install the app ask for, all of it."""

_EMPTY_IS_A_VALUE = frozenset({"call_associations"})


def environment(
    environ: Mapping[str, str] = os.environ, file: Path = Path(".env")
) -> dict[str, str]:
    """Return the environment on top of what the file says; a missing file says nothing.

    Raises:
        SettingsError: the file cannot be read, or a line of it cannot be understood.
    """
    try:
        with file.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return dict(environ)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{file}: cannot be read: {error}"]) from error
    problems = [f"{file}: line {b.original.line} is not NAME=value" for b in bindings if b.error]
    if problems:
        raise SettingsError(problems)
    told = {b.key: b.value for b in bindings if b.key is not None and b.value is not None}
    return {**told, **environ}


def load(environ: Mapping[str, str], *, role: Role) -> Settings:
    """Read the settings of a process.

    Raises:
        SettingsError: with every problem there is.
    """
    found: dict[str, object] = {}
    problems: list[str] = []
    for name, kind in KINDS.items():
        text = environ.get(name.upper(), "").strip()
        if not text and (name not in _EMPTY_IS_A_VALUE or name.upper() not in environ):
            continue
        try:
            found[name] = kind.parse(text)
        except ValueError as error:
            but = "" if kind.secret else f", not {text!r}"
            problems.append(f"{name.upper()}: must be {error}{but}")
            found[name] = None  # there, though wrong: not to be called missing as well
    problems += [f"{name.upper()}: {why}" for name, why in _missing(found, role)]
    if problems:
        raise SettingsError(problems)
    found.setdefault("streams_redis_url", found.get("redis_url", ""))
    return msgspec.structs.replace(Settings(), **found)


def _missing(found: Mapping[str, object], role: Role) -> Iterable[tuple[str, str]]:
    """Yield the absent settings that the role, or another setting, asks for, each with a reason."""
    if role == "tool":
        return
    for name in REQUIRED[role]:
        if name not in found:
            yield name, f"is required by callstream {role}"
    many = found.keys() & {"hubspot_client_id", "hubspot_redirect_url"}
    if role in ("worker", "run") and not many and "hubspot_access_token" not in found:
        yield "hubspot_access_token", "is required, or HUBSPOT_CLIENT_ID for many accounts"
    if many and role != "consumer":
        beside = next(name for name in KINDS if name in many).upper()
        for name in OAUTH:
            if name not in found and name not in REQUIRED[role]:
                yield name, f"is required beside {beside}"
    for name, other in (
        ("journal_client_id", "journal_client_secret"),
        ("journal_client_secret", "journal_client_id"),
    ):
        if name in found and other not in found:
            yield other, f"is required beside {name.upper()}"
