"""The runs of all accounts: one record a kind of each, changed by compare-and-set only.

Keys, on the ledger's Redis, after the namespace:

- `backfills`: sorted set, `<portal>:<reads>` -> when its run counts as forgotten: it wants a turn,
  and nothing was heard of it. A run that needs no turns has an infinite score
- `backfills:<portal>:<reads>`: hash, the latest run of that kind (`jobs.backfill.record.Run`)
- `backfills:serial`: counter; the number of each run

`ledger:newcomers` is the ledger's: portals that were connected for the first time.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeVar, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.backfill.record import ACTIVE, READS, Change, Reads, Run, State, parse_id
from jobs.deadletters.envelope import OPEN, Envelope
from jobs.ledger.deadletters import FIELDS, DeadLetter
from jobs.redis import command
from jobs.scripts import Script
from jobs.timing import Timing

CROWDED: Final = 50
"""With so many jobs in the queue a turn that was asked for may be long in coming."""
LOOKED_AT: Final = 100
"""Forgotten runs that are asked for at once."""

STATES_AT_ONCE: Final = 500
"""States that are read in one round trip."""

T = TypeVar("T")


class Started(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a start."""

    is_new: bool
    """False if the run was there already."""
    run: Run


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """A run in one worker's hands."""

    now: int
    """Redis' epoch ms."""
    run: Run


class Amended(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a change."""

    is_done: bool
    now: int
    run: Run | None = None
    """As it is now."""


_packer: Final = msgspec.msgpack.Encoder()


def _decode(answer: object, kind: type[T]) -> T:
    return msgspec.msgpack.decode(msgspec.convert(answer, bytes), type=kind, strict=False)


def _member(portal_id: int, reads: Reads) -> str:
    return f"{portal_id}:{reads}"


class Runs:
    """The records on one Redis; every method raises `redis.RedisError` when that is away."""

    def __init__(
        self, redis: Redis, namespace: str, timing: Timing, envelope: Envelope = OPEN
    ) -> None:
        """Use `redis`, whose keys all start with `namespace` and a colon (none if it is empty).

        The bytes of dead letters are kept as `envelope` says.
        """
        space = keys.prefix(namespace)
        self._redis = redis
        self._runs = f"{space}backfills"
        self._newcomers = f"{space}ledger:newcomers"
        self._dead = f"{space}calls:dead"
        self._timing = timing
        self._envelope = envelope
        self._start = self._script("start")
        self._start_newcomers = self._script("newcomers")
        self._begin = self._script("turn")
        self._amend = Script(redis, "backfill/common", "deadletters/bury", "backfill/amend")
        self._forgotten = self._script("forgotten")

    def _script(self, name: str) -> Script:
        return Script(self._redis, "backfill/common", f"backfill/{name}")

    async def start(self, portal_id: int, reads: Reads, *, ceiling: int = 0) -> Started:
        """Start a run, or return the unfinished one of its kind, paused or not."""
        answer = await self._start(
            [self._runs], [str(portal_id), reads, ceiling, self._timing.bell_ms]
        )
        return _decode(answer, Started)

    async def start_newcomers(self, kinds: Sequence[Reads]) -> list[Run]:
        """Start these runs for each account that was connected for the first time, once."""
        answer = await self._start_newcomers(
            [self._runs, self._newcomers], [self._timing.bell_ms, *kinds]
        )
        return _decode(answer, list[Run])

    async def begin(self, portal_id: int, reads: Reads, holder: str) -> Turn | None:
        """Take the run's turn; None if it needs none now, or somebody else has it."""
        answer = await self._begin(
            [self._runs], [_member(portal_id, reads), holder, self._timing.backfill_lease_ms]
        )
        return None if answer is None else _decode(answer, Turn)

    async def amend(  # noqa: PLR0913 - what is changed, and on what condition, all by name
        self,
        run: Run,
        change: Change,
        *,
        states: Collection[State] = ACTIVE,
        expect: Collection[str] = ("id", "step", "holder"),
        later: dict[str, int] | None = None,
        forgotten_ms: int | None = None,
        letters: Sequence[DeadLetter] = (),
    ) -> Amended:
        """Change the record if these fields and the state are still those of `run`.

        Args:
            run: what the caller saw.
            change: what to set and to add.
            states: those in which it may be changed.
            expect: fields that must not have changed.
            later: fields to set to so many ms from now.
            forgotten_ms: after how long without a word the run is asked for; None = never.
            letters: what to set aside in the same step.
        """
        order: dict[str, object] = {
            "expect": {name: str(getattr(run, name)) for name in expect},
            "states": list(states),
            "set": change.set,
            "add": change.add,
            "later": later or {},
        }
        if forgotten_ms is not None:
            order["forgotten"] = forgotten_ms
        answer = await self._amend(
            [self._runs, self._dead],
            [
                _member(run.portal_id, run.reads),
                _packer.encode(order),
                2 * FIELDS,
                *(field for letter in letters for field in self._envelope.fields(letter)),
            ],
        )
        return _decode(answer, Amended)

    async def forgotten(self, queue: str) -> list[tuple[int, Reads]]:
        """Return runs whose turn was lost, to be asked for now by the caller.

        Args:
            queue: the key of the sorted set that turns are asked for on.
        """
        timing = self._timing
        answer = await self._forgotten(
            [self._runs, queue], [timing.bell_ms, timing.bell_crowded_ms, CROWDED, LOOKED_AT]
        )
        return [_named(member) for member in _decode(answer, list[str])]

    async def find(self, run_id: str) -> Run | None:
        """Return the run of that id; None if there is none, or a later one took its place."""
        named = parse_id(run_id)
        run = await self._read(_member(*named)) if named else None
        return run if run and run.id == run_id else None

    async def latest(self, portal_id: int, reads: Reads) -> Run | None:
        """Return the latest run of its kind; None if there never was one."""
        return await self._read(_member(portal_id, reads))

    async def all(self) -> list[Run]:
        """Return the latest run of each kind and account, by account."""
        answer = await command(self._redis, "ZRANGE", self._runs, 0, -1)
        members = msgspec.convert(answer, list[bytes])
        found = [await self._read(member.decode()) for member in members]
        return sorted(
            (run for run in found if run), key=lambda run: (run.portal_id, READS.index(run.reads))
        )

    async def states(self) -> dict[tuple[int, Reads], State]:
        """Return the state of the latest run of each kind and account: cheaper than `all`."""
        answer = await command(self._redis, "ZRANGE", self._runs, 0, -1)
        members = [member.decode() for member in msgspec.convert(answer, list[bytes])]
        states: list[bytes | None] = []
        for start in range(0, len(members), STATES_AT_ONCE):
            pipeline = self._redis.pipeline(transaction=False)
            for member in members[start : start + STATES_AT_ONCE]:
                pipeline.hget(f"{self._runs}:{member}", "state")
            states += await pipeline.execute()
        return {
            _named(member): msgspec.convert(state.decode(), State)
            for member, state in zip(members, states, strict=True)
            if state is not None
        }

    async def _read(self, member: str) -> Run | None:
        answer = await command(self._redis, "HGETALL", f"{self._runs}:{member}")
        fields = {name.decode(): value.decode() for name, value in _pairs(answer)}
        return msgspec.convert(fields, Run, strict=False) if fields else None


def _pairs(answer: object) -> Iterable[tuple[bytes, bytes]]:
    return cast("dict[bytes, bytes]", answer).items()


def _named(member: str) -> tuple[int, Reads]:
    portal, _, name = member.partition(":")
    return int(portal), msgspec.convert(name, Reads)
