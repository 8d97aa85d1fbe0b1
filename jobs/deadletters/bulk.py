"""Drops and replays many dead letters, in steps that may end anywhere and be begun again."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from jobs.deadletters.box import AT_ONCE, Box, Dropped, Progress, Replayed
from jobs.deadletters.letters import Letter, Selection
from jobs.ledger.messages import Bell

ALL: Final = Selection()

Ring = Callable[[Sequence[Bell]], Awaitable[None]]
"""Rings doorbells; a failure of it costs latency only."""


async def named(box: Box, letter_ids: Sequence[str]) -> list[Letter]:
    """Return those of the letters that are there.

    Raises:
        redis.RedisError: Redis is away.
    """
    found = [await box.find(letter_id) for letter_id in dict.fromkeys(letter_ids)]
    return [letter for letter in found if letter is not None]


async def replay_named(box: Box, letter_ids: Sequence[str], ring: Ring) -> Replayed:
    """Replay letters by their ids; those that are gone count as such.

    Raises:
        redis.RedisError: Redis is away; what was replayed stays so.
    """
    letters = await named(box, letter_ids)
    done = Replayed(gone=len(set(letter_ids)) - len(letters))
    for start in range(0, len(letters), AT_ONCE):
        done = await _replay(box, letters[start : start + AT_ONCE], ring, done)
    return done


async def replay_all(
    box: Box,
    selection: Selection,
    ring: Ring,
    *,
    most: int | None = None,
    progress: Progress = lambda _, __: None,
) -> Replayed:
    """Replay all letters that are meant, at most `most` of them.

    Raises:
        redis.RedisError: Redis is away; what was replayed stays so.
    """
    done = Replayed()
    async for letters in _parts(box, selection, progress):
        over = [] if most is None else letters[most - done.replayed :]
        done = await _replay(box, letters[: len(letters) - len(over)], ring, done)
        if over:
            return Replayed(done.replayed, done.left, done.gone, more=True)
    return done


async def drop_all(
    box: Box, selection: Selection, *, progress: Progress = lambda _, __: None
) -> Dropped:
    """Delete all letters that are meant, for good.

    Raises:
        redis.RedisError: Redis is away; what was dropped stays so.
    """
    count = 0
    async for letters in _parts(box, selection, progress):
        count += await box.drop([letter.id for letter in letters])
    return Dropped(count)


async def _replay(box: Box, letters: Sequence[Letter], ring: Ring, before: Replayed) -> Replayed:
    if not letters:
        return before
    step, bells = await box.replay(letters)
    await ring(bells)
    return Replayed(
        before.replayed + step.replayed, before.left + step.left, before.gone + step.gone
    )


async def _parts(box: Box, selection: Selection, progress: Progress) -> AsyncIterator[list[Letter]]:
    part: list[Letter] = []
    async for letter in box.all(selection, progress=progress):
        part.append(letter)
        if len(part) == AT_ONCE:
            yield part
            part = []
    if part:
        yield part
