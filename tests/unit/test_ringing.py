"""Doorbells are rung in the background, in order, and never without bound."""

import asyncio
from collections.abc import Sequence

from jobs.ledger.messages import Bell
from jobs.timing import Timing
from service.front_door.ringing import Ringer


def bells(count: int, start: int = 0) -> list[Bell]:
    """Return doorbells numbered from `start`."""
    return [Bell(62515, str(number), 0) for number in range(start, start + count)]


class Gate:
    """Rings only while it is open, and remembers what it rang."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        self.rung: list[Bell] = []

    async def ring(self, bells: Sequence[Bell]) -> None:
        """Ring once the gate is open."""
        self.asked.set()
        await self.open.wait()
        self.rung += bells


class Broken(Gate):
    """Fails on the first ring."""

    async def ring(self, bells: Sequence[Bell]) -> None:
        """Fail, then ring."""
        if not self.asked.is_set():
            self.asked.set()
            msg = "out of order"
            raise RuntimeError(msg)
        await super().ring(bells)


async def test_order() -> None:
    """What came while a ring was under way is rung after it, also on the way out."""
    gate = Gate()
    ringer = Ringer(gate, Timing())

    async with ringer.running():
        ringer.ring_soon(bells(2))
        await gate.asked.wait()
        ringer.ring_soon(bells(2, 2))
        ringer.ring_soon([])
        gate.open.set()

    assert gate.rung == bells(4)
    assert ringer.dropped == 0


async def test_bound() -> None:
    """While ringing is stuck no more than 10,000 doorbells wait; the others are dropped."""
    gate = Gate()
    ringer = Ringer(gate, Timing())

    async with ringer.running():
        ringer.ring_soon(bells(1))
        await gate.asked.wait()
        for _ in range(3):
            ringer.ring_soon(bells(4_000))
        gate.open.set()

    assert len(gate.rung) == 10_001
    assert ringer.dropped == 2_000


async def test_stuck() -> None:
    """A ring that hangs is given up when its doorbells count as lost."""
    gate = Gate()
    ringer = Ringer(gate, Timing(bell_ms=20))

    async with asyncio.timeout(1), ringer.running():
        ringer.ring_soon(bells(3))

    assert gate.rung == []
    assert ringer.dropped == 3


async def test_failure() -> None:
    """A ring that fails in a way nobody foresaw does not end the ringing."""
    broken = Broken()
    broken.open.set()
    ringer = Ringer(broken, Timing())

    async with ringer.running():
        ringer.ring_soon(bells(1))
        await broken.asked.wait()
        ringer.ring_soon(bells(1, 1))

    assert broken.rung == bells(1, 1)
    assert ringer.dropped == 1
