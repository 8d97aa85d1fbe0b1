"""Every target by its name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from tests.fuzz import front_door, hubspot_answers, redis_messages

CORPUS: Final = Path(__file__).with_name("corpus")
"""A folder a target, a file an input."""


class Target(msgspec.Struct, frozen=True):
    """Something to throw bytes at."""

    run: Callable[[bytes], None]
    """Raises when what is promised does not hold; its docstring says what that is."""
    share: int
    """Executions of it in a hundred of all."""
    longest: int = 1_024
    """Bytes of an input."""


TARGETS: Final[Mapping[str, Target]] = {
    "signature": Target(front_door.signature, 18, 512),
    "notifications": Target(front_door.notifications, 16),
    "odd_notifications": Target(front_door.odd_notifications, 5, 256),
    "hubspot_answers": Target(hubspot_answers.hubspot_answers, 10),
    "normaliser": Target(hubspot_answers.normaliser, 7, 256),
    "journal": Target(hubspot_answers.journal, 10),
    "headers": Target(hubspot_answers.headers, 5, 256),
    "packing": Target(redis_messages.packing, 10, 256),
    "records": Target(redis_messages.records, 3, 64),
    "answers": Target(redis_messages.answers, 7, 512),
    "entries": Target(redis_messages.entries, 9),
}


def corpus_of(name: str) -> list[Path]:
    """Return the kept inputs of a target."""
    return sorted((CORPUS / name).iterdir())
