"""What Redis holds at this moment, in figures: accounts, journal, streams, dead letters, queues.

Only reads. Keys as `jobs.ledger.ledger`, `jobs.stream.stream`, `jobs.ledger.deadletters` and
`jobs.queue` lay them out; a figure that two commands give is not of one instant.

However many accounts there are, a bounded number of them is told in full, the worst first.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.accounts.listing import Account, Listing
from jobs.accounts.register import Register
from jobs.backfill.record import READS
from jobs.backfill.report import Report, report_of
from jobs.backfill.runs import Runs
from jobs.config.settings import Settings
from jobs.headroom import ask_memory
from jobs.journal.place import Place, Reading
from jobs.ledger.aging import Aging
from jobs.ledger.ledger import Ledger
from jobs.queue import QueueName, queue_key
from jobs.reconciliation.operate import Glance, Reconciled, Reconciling
from jobs.redis import command
from jobs.timing import Timing
from service.front_door.refusals import Refused, read_refused
from service.streams import StreamFigures, read_streams
from service.worst import Standing, worst_first

WITHIN_S: Final = 10.0
"""How long Redis may take for a figure."""
ALL_WITHIN_S: Final = 30.0
"""The same for all of them: ten thousand accounts take about a second of an idle core."""
QUEUES: Final[tuple[QueueName, ...]] = ("live", "collections")
MOST: Final = 20
"""So many accounts are told in full unless more are wanted."""


class AccountFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One account in full."""

    account: Account
    """Whether it is connected, and what waits to be read."""
    reconciled: Reconciled | None
    """Until when it was searched, its rounds, and its missed calls; None before its first turn."""
    backfills: tuple[Report, ...] = ()
    """The latest run of each kind."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """All accounts together."""

    connected: int = 0
    """Accounts that are read, those that are asleep not counted."""
    asleep: int = 0
    disconnected: int = 0
    unknown: int = 0
    """Accounts that notifications name and that nobody has a token for."""
    due: int = 0
    """Calls that wait to be read."""
    leased: int = 0
    """Calls that a worker is reading."""
    missed: int = 0
    """Calls that had changed untold."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; `callstream status --json` and `GET /ops/status`."""

    at: int
    """When it was read, Redis' epoch ms."""
    accounts: tuple[AccountFigures, ...] = ()
    """The worst first."""
    others: int = 0
    """Accounts that are not among them."""
    totals: Totals = Totals()
    journal: Reading | None = None
    """None if the settings name no app that may read it."""
    streams: tuple[StreamFigures, ...] = ()
    dead_letters: int = 0
    given_up: Mapping[int, int] = {}
    """Marks that were given up for their age, by account that nobody connected."""
    refused: tuple[Refused, ...] = ()
    """Signatures that were refused lately, by reason."""
    queued: Mapping[str, int] = {}
    """Jobs in each queue, those in hand included."""
    workers: int = 0
    """Workers of the live queue that were heard of lately."""
    nearly_full: tuple[str, ...] = ()
    """What lies on a Redis that takes nothing more, having too little room: `ledger`, `streams`."""


class NoSuchAccountError(ValueError):
    """Nothing is known of the account."""

    def __init__(self, portal_id: int) -> None:
        super().__init__(f"nothing is known of account {portal_id}")


async def waiting(redis: Redis, namespace: str) -> int:
    """Return how many calls of connected accounts are due or being read.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    prefix = f"{keys.prefix(namespace)}ledger:"
    async with asyncio.timeout(WITHIN_S):
        portals = _texts(await command(redis, "ZRANGE", f"{prefix}portals", 0, -1))
        counts = [
            await command(redis, "ZCARD", f"{prefix}{portal}:{room}")
            for portal in portals
            for room in ("due", "leases")
        ]
    return sum(map(_number, counts))


async def workers(redis: Redis, namespace: str) -> int:
    """Return how many workers of the live queue were heard of lately.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    async with asyncio.timeout(WITHIN_S):
        fleet = f"{keys.prefix(namespace)}ledger:fleet"
        return _number(await command(redis, "ZCARD", fleet))


class Desk:
    """Reads the figures of one deployment."""

    def __init__(self, ledger: Redis, streams: Redis, settings: Settings) -> None:
        """Read `ledger` and `streams` as the settings lay them out."""
        timing = Timing().scaled(settings.timing_scale)
        self._ledger, self._streams = ledger, streams
        self._namespace = namespace = settings.namespace
        self._static = () if settings.hubspot_portal_id is None else (settings.hubspot_portal_id,)
        its_ledger = Ledger(ledger, namespace, timing)
        self._register = Register(ledger, namespace, its_ledger, timing)
        self._listing = Listing(ledger, namespace, self._register)
        self._aging = Aging(ledger, namespace, its_ledger)
        self._reconciling = Reconciling(ledger, namespace, timing)
        self._runs = Runs(ledger, namespace, timing)
        self._dead = f"{keys.prefix(namespace)}calls:dead"
        self._queues = [(name, queue_key(namespace, name)) for name in QUEUES]
        client_id = settings.journal_client_id
        self._place = Place(ledger, namespace, timing, client_id) if client_id else None

    async def figures(self, *, portal_id: int | None = None, most: int = MOST) -> Figures:
        """Return the figures.

        Args:
            portal_id: tell of this account only; the totals are those of all.
            most: how many accounts are told in full.

        Raises:
            NoSuchAccountError: nothing is known of the account that was asked for.
            redis.RedisError: Redis does not answer.
            TimeoutError: it did not within `ALL_WITHIN_S`.
        """
        async with asyncio.timeout(ALL_WITHIN_S):
            standings = await self._standings()
            wanted = worst_first(standings)[:most]
            if portal_id is not None:
                wanted = [one for one in standings if one.account.portal_id == portal_id]
                if not wanted:
                    raise NoSuchAccountError(portal_id)
            return Figures(
                at=await self._register.now(),
                accounts=tuple([await self._account(one.account) for one in wanted]),
                others=len(standings) - len(wanted),
                totals=totals(standings),
                journal=None if self._place is None else await self._place.look(),
                streams=tuple(await read_streams(self._streams, self._namespace)),
                dead_letters=await self._count("XLEN", self._dead),
                given_up=await self._aging.given_up(),
                refused=tuple(await read_refused(self._ledger, self._namespace)),
                queued={name: await self._count("ZCARD", key) for name, key in self._queues},
                workers=await workers(self._ledger, self._namespace),
                nearly_full=await self._nearly_full(),
            )

    async def _count(self, how: str, key: str) -> int:
        return _number(await command(self._ledger, how, key))

    async def _nearly_full(self) -> tuple[str, ...]:
        places = (("ledger", self._ledger), ("streams", self._streams))
        memories = [(holds, await ask_memory(redis)) for holds, redis in places]
        return tuple(holds for holds, memory in memories if memory.is_tight(before=False))

    async def _standings(self) -> list[Standing]:
        reconciled = await self._reconciling.accounts()
        accounts = await self._listing.accounts(self._static, others=reconciled)
        glances = await self._reconciling.glances(reconciled)
        states = await self._runs.states()
        return [
            Standing(
                one,
                glances.get(one.portal_id, Glance()),
                any(states.get((one.portal_id, reads)) == "failed" for reads in READS),
            )
            for one in accounts
        ]

    async def _account(self, account: Account) -> AccountFigures:
        portal_id = account.portal_id
        looked = await self._reconciling.look(portal_id)
        known = looked.run or looked.last or looked.watermark or looked.missed.count
        runs = [await self._runs.latest(portal_id, reads) for reads in READS]
        return AccountFigures(
            account=account,
            reconciled=looked if known else None,
            backfills=tuple(report_of(run) for run in runs if run),
        )


def totals(standings: Sequence[Standing]) -> Totals:
    """Return all accounts together."""
    states = [one.account.state for one in standings]
    return Totals(
        connected=states.count("connected"),
        asleep=states.count("asleep"),
        disconnected=states.count("disconnected"),
        unknown=states.count("unknown"),
        due=sum(one.account.due for one in standings),
        leased=sum(one.account.leased for one in standings),
        missed=sum(one.glance.missed for one in standings),
    )


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | bytes | str) and value else 0


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _texts(value: object) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, list) else []
