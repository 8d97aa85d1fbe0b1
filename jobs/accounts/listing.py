"""All accounts that Redis knows of, for operators: who is connected, who is not, and why."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.accounts.register import AT_ONCE, Record, Register
from jobs.redis import command

State = Literal["connected", "asleep", "disconnected", "unknown"]

_FIELDS: Final = ("open", "asleep_until", "why", "connected_at")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account; times are epoch ms, None = never or not known."""

    portal_id: int
    state: State
    """`asleep`: it is connected, and nothing is asked of it for now. `unknown`: notifications name
    it, and there is no token for it."""
    why: str = ""
    """Why it is asleep, disconnected or unknown."""
    by: Literal["install", "settings", ""] = ""
    """Where its token comes from; empty if there is none."""
    connected_at: int | None = None
    """When its calls were first let be read."""
    installed_at: int | None = None
    """When it installed the app last."""
    token_until: int | None = None
    """When its access token expires; it is refreshed when it is needed."""
    scopes: tuple[str, ...] = ()
    asleep_until: int | None = None
    due: int = 0
    """Calls that wait to be read."""
    leased: int = 0
    """Calls that a worker is reading."""


class _Place(msgspec.Struct, frozen=True):
    """An account's place in the ledger."""

    fields: Mapping[str, str]
    due: int
    leased: int


class Listing:
    """Reads what Redis holds of accounts; tokens stay sealed, so no key is needed."""

    def __init__(self, redis: Redis, namespace: str, register: Register) -> None:
        self._redis = redis
        self._prefix = keys.prefix(namespace)
        self._register = register

    async def accounts(
        self, static: Iterable[int] = (), *, others: Iterable[int] = ()
    ) -> list[Account]:
        """Return all accounts, by portal id.

        Args:
            static: the accounts that the settings of this process name.
            others: accounts to look for besides.

        Raises:
            redis.RedisError: Redis did not answer.
        """
        owners = {*static, *await self._owners()}
        known = {*await self._register.portals(), *await self._in_ledger()}
        portals = sorted({*owners, *known, *others})
        records = {record.portal_id: record for record in await self._register.records(portals)}
        now = await self._register.now()
        return [
            _account(portal_id, place, records.get(portal_id), owners, now)
            for portal_id, place in zip(portals, await self._places(portals), strict=True)
            if place.fields or place.due or portal_id in records
        ]

    async def _owners(self) -> set[int]:
        """Return the accounts that HubSpot has named for tokens in the settings of any process."""
        answer = await command(self._redis, "HVALS", f"{self._prefix}accounts:owners")
        return set(map(int, cast("list[bytes]", answer)))

    async def _in_ledger(self) -> set[int]:
        """Return the accounts with work, and those with marks that are not connected."""
        ledger = f"{self._prefix}ledger:"
        at_work = await command(self._redis, "ZRANGE", f"{ledger}portals", 0, -1)
        strangers = await command(self._redis, "SMEMBERS", f"{ledger}strangers")
        found = [*cast("list[bytes]", at_work), *cast("set[bytes]", strangers)]
        return set(map(int, found))

    async def _places(self, portals: Sequence[int]) -> list[_Place]:
        found: list[_Place] = []
        for start in range(0, len(portals), AT_ONCE):
            pipeline = self._redis.pipeline(transaction=False)
            for portal_id in portals[start : start + AT_ONCE]:
                base = f"{self._prefix}ledger:{portal_id}"
                pipeline.hmget(base, list(_FIELDS))
                pipeline.zcard(f"{base}:due")
                pipeline.zcard(f"{base}:leases")
            answers = iter(await pipeline.execute())
            for values, due, leased in zip(answers, answers, answers, strict=True):
                pairs = zip(_FIELDS, cast("list[bytes | None]", values), strict=True)
                fields = {name: value.decode() for name, value in pairs if value is not None}
                found.append(_Place(fields, cast("int", due), cast("int", leased)))
        return found


def _account(
    portal_id: int, place: _Place, record: Record | None, owners: set[int], now: int
) -> Account:
    state, why = _state(place, record, now)
    if state == "unknown":
        others = ", ".join(str(owner) for owner in sorted(owners - {portal_id}))
        why = f"no token for it; there is one for {others}" if others else "no token for it"
    by: Literal["install", "settings", ""] = ""
    if state != "unknown":
        by = "install" if record is not None else "settings"
    return Account(
        portal_id=portal_id,
        state=state,
        why=why,
        by=by,
        connected_at=int(place.fields.get("connected_at", 0)) or None,
        installed_at=(record.installed_at or None) if record else None,
        token_until=(record.expires_at or None) if record and not record.void else None,
        scopes=record.scopes if record else (),
        asleep_until=int(place.fields["asleep_until"]) if state == "asleep" else None,
        due=place.due,
        leased=place.leased,
    )


def _state(place: _Place, record: Record | None, now: int) -> tuple[State, str]:
    told = place.fields.get("why", "")
    if "open" not in place.fields:
        return "unknown", ""
    if place.fields["open"] != "1":
        return "disconnected", (record.void if record else "") or told
    if int(place.fields.get("asleep_until", 0)) > now:
        return "asleep", told
    failure = record.failure if record else ""
    return "connected", f"its token could not be refreshed: {failure}" if failure else ""
