"""All dead letters of a deployment: to be listed, looked at, dropped and replayed.

A replay only marks: the call is read again and published if its state is new. The letter goes in
the same step; if the call fares no better, there will be another one.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.deadletters.envelope import Envelope
from jobs.deadletters.letters import Letter, Selection, letters_of
from jobs.ledger.hints import Hint, pack
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Bell
from jobs.ledger.wire import PACKER, decode
from jobs.redis import command
from jobs.scripts import Script

AT_ONCE: Final = 200
"""Letters that are looked at, dropped or replayed in one go."""
PAGE: Final = 50
"""Letters of a page unless another number is wanted."""

Progress = Callable[[int, int], None]
"""Is told how many letters of how many were looked at."""

_HINT: Final = pack([Hint(origin="replay")])


class Page(msgspec.Struct, frozen=True):
    """Some letters, the newest first."""

    letters: Sequence[Letter]
    after: str | None
    """What to ask for next: the last letter's id; None at the end."""


class Dropped(msgspec.Struct, frozen=True):
    """What was dropped."""

    dropped: int = 0


class Replayed(msgspec.Struct, frozen=True):
    """What became of letters that were to be replayed."""

    replayed: int = 0
    """Letters that are marks again."""
    left: int = 0
    """Letters that name no call: they stay."""
    gone: int = 0
    """Letters that were not there, or no longer."""
    more: bool = False
    """Whether letters were left over because they were too many for one request."""


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    replayed: int
    bells: list[Bell]


class Box:
    """The letters on the ledger's Redis; raises `redis.RedisError` when that is away."""

    def __init__(self, redis: Redis, namespace: str, ledger: Ledger) -> None:
        self._redis = redis
        self._stream = f"{keys.prefix(namespace)}calls:dead"
        self._look = Script(redis, "deadletters/look")
        self._replay = ledger.script("ledger/marking", "deadletters/replay")

    async def count(self) -> int:
        """Return how many letters there are."""
        return cast("int", await command(self._redis, "XLEN", self._stream))

    async def page(self, selection: Selection, *, limit: int = PAGE, after: str = "") -> Page:
        """Return letters that are meant, older ones than `after`, the newest first."""
        found: list[Letter] = []
        async for letter in self.all(selection, after=after):
            if len(found) == limit:
                return Page(found, found[-1].id)
            found.append(letter)
        return Page(found, None)

    async def all(
        self,
        selection: Selection,
        *,
        after: str = "",
        progress: Progress = lambda _, __: None,
    ) -> AsyncIterator[Letter]:
        """Yield the letters that are meant, the newest first; not those that come meanwhile."""
        newest = f"({after}" if after else await self._newest(selection)
        total, seen = await self.count(), 0
        while True:
            letters = await self._step(newest, selection)
            for letter in letters:
                if selection.holds(letter):
                    yield letter
            seen += len(letters)
            progress(seen, max(seen, total))
            if len(letters) < AT_ONCE:
                return
            newest = f"({letters[-1].id}"

    async def find(self, letter_id: str) -> Letter | None:
        """Return a letter; None if there is none of this id."""
        answer = await self._look([self._stream], [letter_id, letter_id, 1])
        return next(iter(letters_of(answer)), None)

    async def raw(self, letter: Letter, envelope: Envelope) -> bytes:
        """Return a letter's bytes, empty if the letter is gone by now.

        Raises:
            SealedError: they are sealed, and no key of `envelope` opens them.
        """
        answer = await self._redis.xrange(self._stream, letter.id, letter.id)
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", answer)
        return envelope.open(letter.kept, entries[0][1].get(b"raw", b"")) if entries else b""

    async def drop(self, letter_ids: Sequence[str]) -> int:
        """Delete letters for good, and return how many there were."""
        count = 0
        for start in range(0, len(letter_ids), AT_ONCE):
            part = letter_ids[start : start + AT_ONCE]
            count += cast("int", await command(self._redis, "XDEL", self._stream, *part))
        return count

    async def replay(self, letters: Sequence[Letter]) -> tuple[Replayed, list[Bell]]:
        """Turn letters into marks of their calls; return the doorbells to ring.

        Letters that name no call are left. Safe to do twice, and by two operators at once.
        """
        named = [letter for letter in letters if letter.can_be_replayed]
        packed = [
            (letter.id, str(letter.portal_id), letter.call_id, _HINT.decisive, _HINT.changes)
            for letter in named
        ]
        answer = decode(await self._replay([self._stream], [PACKER.encode(packed)]), _Answer)
        left, gone = len(letters) - len(named), len(named) - answer.replayed
        return Replayed(answer.replayed, left, gone), answer.bells

    async def _step(self, newest: str, selection: Selection) -> Sequence[Letter]:
        oldest = str(selection.since_ms) if selection.since_ms else "-"
        return letters_of(await self._look([self._stream], [newest, oldest, AT_ONCE]))

    async def _newest(self, selection: Selection) -> str:
        seconds, micros = await self._redis.time()
        now = seconds * 1000 + micros // 1000
        return str(now if selection.until_ms is None else min(now, selection.until_ms))
