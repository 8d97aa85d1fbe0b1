"""What Redis holds of the accounts that have installed the app.

Keys, on the ledger's Redis, after the namespace:

- `accounts:installed`: sorted set, portal -> when it was installed last, in Redis' epoch ms
- `accounts:<portal>`: hash, the account's record: version, which rises with every change of the
  tokens; sealed, the tokens (see `jobs.accounts.tokens`); life of the access token in ms and
  expires_at; installed_at, refreshed_at; scopes; lease, who refreshes the tokens and until when;
  failures, failure and retry_at of refreshing; void, why HubSpot does not take the tokens any more,
  and void_at. All times are Redis' epoch ms.

The records lie beside the ledger, so that an account and its place there change in one step.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, cast

import msgspec
from redis.asyncio import Redis

from jobs.hubspot.errors import FailureKind
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Bell
from jobs.redis import command
from jobs.scripts import Script
from jobs.timing import Timing

AT_ONCE: Final = 500
"""Records that are read in one go."""

What = Literal["absent", "void", "use", "refresh", "wait", "later"]


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens as they are kept."""

    sealed: bytes
    life_ms: int
    """How long the access token lives."""
    age_ms: int
    """How long ago it was asked for."""
    scopes: Sequence[str] = ()


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about an account's tokens."""

    what: What
    """`absent`: there is no such account. `void`: it is disconnected. `use` the tokens. `refresh`
    them: nobody else does. `wait` until somebody else has. `later`: refreshing failed just now."""
    version: int
    sealed: bytes
    usable_ms: int
    """For how long the access token is to be used; 0 = no longer."""
    wait_ms: int
    """After how long to look again."""
    why: str
    """Why it is void, or the kind of the failed refresh."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An account's record; times are Redis' epoch ms, 0 = never."""

    portal_id: int
    sealed: bytes
    scopes: tuple[str, ...]
    installed_at: int
    refreshed_at: int
    expires_at: int
    void: str
    """Why it is disconnected; empty while it is not."""
    void_at: int
    failure: str
    """The kind of the last failure to refresh; empty if there was none since."""


class Register:
    """The installed accounts; every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, namespace: str, ledger: Ledger, timing: Timing) -> None:
        """Use `redis`, which is the ledger's as well."""
        self._redis = redis
        self._prefix = f"{namespace}:accounts:" if namespace else "accounts:"
        self._timing = timing
        self._install = ledger.script("accounts/install")
        self._disconnect = ledger.script("accounts/disconnect")
        self._token, self._renewed, self._failed, self._reseal = (
            Script(redis, "accounts/record", f"accounts/{name}")
            for name in ("token", "renewed", "failed", "reseal")
        )

    def key(self, portal_id: int) -> str:
        """Return the key of the account's record."""
        return f"{self._prefix}{portal_id}"

    @property
    def index(self) -> str:
        """The key of the set of installed accounts."""
        return f"{self._prefix}installed"

    async def look(self, portal_id: int, asker: str, *, refused: int = 0) -> Look:
        """Return what is to be done; of all askers one is told to refresh.

        Args:
            portal_id: the account.
            asker: a word that no other attempt has.
            refused: the version whose access token HubSpot answered 401.
        """
        timing = self._timing
        answer = await self._token(
            [self.key(portal_id)],
            [
                asker,
                refused,
                timing.token_ahead_ms,
                timing.token_margin_ms,
                timing.refresh_lease_ms,
            ],
        )
        what, version, sealed, usable_ms, wait_ms, why = msgspec.convert(
            answer, tuple[bytes, int, bytes, int, int, bytes]
        )
        return Look(
            what=msgspec.convert(what.decode(), What),
            version=version,
            sealed=sealed,
            usable_ms=usable_ms,
            wait_ms=wait_ms,
            why=why.decode(),
        )

    async def keep(self, portal_id: int, version: int, issue: Issue) -> bool:
        """Keep refreshed tokens; False, and nothing is kept, if there are others by now."""
        kept = await self._renewed(
            [self.key(portal_id)],
            [version, issue.sealed, issue.life_ms, issue.age_ms, " ".join(issue.scopes)],
        )
        return kept == 1

    async def put_off(
        self, portal_id: int, asker: str, kind: FailureKind, told_ms: int | None
    ) -> int:
        """Note that the asker could not refresh, and return the ms until somebody may try again."""
        wait_ms = await self._failed(
            [self.key(portal_id)],
            [
                asker,
                self._timing.portal_backoff_first_ms,
                self._timing.portal_backoff_last_ms,
                told_ms or 0,
                kind,
            ],
        )
        return msgspec.convert(wait_ms, int)

    async def install(self, portal_id: int, issue: Issue) -> list[Bell]:
        """Keep the tokens of an install and open the account; return the doorbells to ring."""
        answer = await self._install(
            [self.key(portal_id), self.index],
            [
                str(portal_id),
                issue.sealed,
                issue.life_ms,
                issue.age_ms,
                " ".join(issue.scopes),
            ],
        )
        return msgspec.msgpack.decode(cast("bytes", answer), type=list[Bell], strict=False)

    async def disconnect(self, portal_id: int, version: int, why: str) -> bool:
        """Mark the tokens as void and close the account; False if there are others by now."""
        done = await self._disconnect([self.key(portal_id)], [str(portal_id), version, why])
        return done == 1

    async def reseal(self, portal_id: int, old: bytes, new: bytes) -> bool:
        """Put the tokens under another key; False if there are others by now."""
        return await self._reseal([self.key(portal_id)], [old, new]) == 1

    async def now(self) -> int:
        """Return Redis' time, in epoch ms."""
        seconds, micros = msgspec.convert(await self._redis.time(), tuple[int, int])
        return seconds * 1000 + micros // 1000

    async def portals(self) -> list[int]:
        """Return the installed accounts, the longest installed first."""
        answer = await command(self._redis, "ZRANGE", self.index, 0, -1)
        return [int(member) for member in cast("list[bytes]", answer)]

    async def records(self, portals: Sequence[int]) -> list[Record]:
        """Return the records of those accounts that have one."""
        found: list[Record] = []
        for start in range(0, len(portals), AT_ONCE):
            part = portals[start : start + AT_ONCE]
            pipeline = self._redis.pipeline(transaction=False)
            for portal_id in part:
                pipeline.hgetall(self.key(portal_id))
            answers = cast("list[Mapping[bytes, bytes]]", await pipeline.execute())
            pairs = zip(part, answers, strict=True)
            found += [_record(portal_id, fields) for portal_id, fields in pairs if fields]
        return found


def _record(portal_id: int, fields: Mapping[bytes, bytes]) -> Record:
    def text(name: bytes) -> str:
        return fields.get(name, b"").decode()

    return Record(
        portal_id=portal_id,
        sealed=fields.get(b"sealed", b""),
        scopes=tuple(text(b"scopes").split()),
        installed_at=int(text(b"installed_at") or 0),
        refreshed_at=int(text(b"refreshed_at") or 0),
        expires_at=int(text(b"expires_at") or 0),
        void=text(b"void"),
        void_at=int(text(b"void_at") or 0),
        failure=text(b"failure"),
    )
