"""Keeps Python's garbage collection from stopping a process, and from looking where nothing is."""

import gc
from typing import Final

YOUNG: Final = 20_000
"""So many more objects made than freed bring about a collection. A page of a hundred calls makes
thousands that live until it is published: at Python's 700 each page is looked at several times,
for a tenth of the worker's CPU time, and nothing of it is garbage. One collection takes 1 ms."""
OLDER: Final = 20
"""So many collections of the young bring about one of those that outlived them."""


def keep_for_good() -> None:
    """Exempt all that exists from garbage collection; to be called once, when a start is over.

    A full collection looks at every object, and nothing else runs meanwhile. Modules, classes and
    settings are some 60,000 objects that stay to the end: to look at them takes 20 to 40 ms of CPU
    every few seconds that a worker is busy, and frees nothing. Later collections come at `YOUNG`.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDER)
