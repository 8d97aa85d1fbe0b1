"""No fault: what every other window is to be read against."""

import asyncio
from typing import Final

from tests.chaos.scene import Scene
from tests.chaos.window import Proof, Window

LASTS_S: Final = 3.0


async def _nothing(scene: Scene) -> Proof:
    await asyncio.sleep(LASTS_S)
    running = [await program.running() for program in scene.running.programs]
    return Proof(count=sum(running), what="processes untouched", needed=len(running))


WINDOWS: Final = (Window(name="calm", fault="none", strike=_nothing),)
