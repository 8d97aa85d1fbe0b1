"""What people do to calls while a backfill reads them, most of it on the page that it is at."""

import random
from collections import Counter
from typing import Final, Literal

from tests.simulator.messages import Archive, Create, Deed, Merge, Purge, Restore, Update
from tests.support.fleet import Fleet

Kind = Literal["create", "update", "archive", "restore", "purge", "forget", "merge"]
"""`purge` removes an archived call for good; `forget` a live one, at one stroke."""

WEIGHTS: Final[dict[Kind, int]] = {
    "create": 1,
    "update": 8,
    "archive": 5,
    "restore": 3,
    "purge": 1,
    "forget": 2,
    "merge": 2,
}
NEAR: Final = 3
"""So many of four deeds are done near the page."""
PAGE: Final = 100


class Meddler:
    """Changes an account's calls at random, and counts how."""

    def __init__(self, running: Fleet, rng: random.Random, calls: list[int]) -> None:
        """Know the live calls in the order of their ids, which is the listing's."""
        self._running = running
        self._rng = rng
        self._listed = calls
        self._live = set(calls)
        self._binned: list[int] = []
        self.done: Counter[Kind] = Counter()

    async def meddle(self, page: int, deeds: int = 8) -> None:
        """Do so many things, most of them to calls of that page of the listing."""
        near = [call for call in self._listed[page * PAGE :][:PAGE] if call in self._live]
        kinds = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=deeds)
        await self._running.hubspot.do(*[self._deed(kind, near) for kind in kinds])

    def _deed(self, kind: Kind, near: list[int]) -> Deed:  # noqa: PLR0911 - one for each kind
        if kind in {"restore", "purge"} and not self._binned:
            kind = "archive"
        self.done[kind] += 1
        match kind:
            case "create":
                return Create(properties={"hs_call_title": "New"})
            case "update":
                title = f"Title {self._rng.random()}"
                return Update(self._one(near), {"hs_call_title": title})
            case "archive":
                self._binned.append(self._leaves(near))
                return Archive(self._binned[-1])
            case "restore":
                back = self._binned.pop(self._rng.randrange(len(self._binned)))
                self._live.add(back)
                return Restore(back)
            case "purge":
                return Purge(self._binned.pop(self._rng.randrange(len(self._binned))))
            case "forget":
                return Purge(self._leaves(near))
            case "merge":
                loser = self._leaves(near)
                return Merge(self._one(near), [loser])

    def _leaves(self, near: list[int]) -> int:
        call = self._one(near)
        self._live.remove(call)
        if call in near:
            near.remove(call)
        return call

    def _one(self, near: list[int]) -> int:
        """Draw a live call."""
        if near and self._rng.randrange(4) < NEAR:
            return self._rng.choice(near)
        return self._rng.choice(sorted(self._live))
