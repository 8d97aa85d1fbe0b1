"""Randomness that repeats: one stream per purpose, the same in every process."""

import random
import uuid


def stream(seed: int, *purpose: object) -> random.Random:
    """Return the stream of this seed and purpose; what other streams drew does not touch it."""
    return random.Random("/".join(str(part) for part in (seed, *purpose)))


def draw_uuid(rng: random.Random) -> str:
    """Return a version 4 UUID drawn from the stream."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
