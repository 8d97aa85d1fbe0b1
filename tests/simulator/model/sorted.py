"""Sorted containers that stay quick with a million entries."""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import islice


class SortedIds:
    """A set of int64 ids in ascending order, 8 bytes each: a page from any point is cheap."""

    def __init__(self) -> None:
        self._ids = array("q")

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def add(self, item: int) -> None:
        """Add an id that is not in it; the greatest one costs nothing."""
        if not self._ids or item > self._ids[-1]:
            self._ids.append(item)
        else:
            self._ids.insert(bisect_left(self._ids, item), item)

    def remove(self, item: int) -> None:
        """Take an id out, if it is in."""
        place = bisect_left(self._ids, item)
        if place < len(self._ids) and self._ids[place] == item:
            del self._ids[place]

    def page(self, start: int, size: int) -> list[int]:
        """Return up to `size` ids from `start` (inclusive) on."""
        place = bisect_left(self._ids, start)
        return self._ids[place : place + size].tolist()

    def pick(self, place: int) -> int:
        """Return the id at a place from 0."""
        return self._ids[place]


class SortedKeys:
    """A set of ints in ascending order, held in chunks so that a change moves little memory."""

    _CHUNK = 2_000

    def __init__(self, keys: Iterable[int] = ()) -> None:
        ordered, size = sorted(keys), self._CHUNK // 2
        self._chunks = [ordered[at : at + size] for at in range(0, len(ordered), size)]
        self._tops = [chunk[-1] for chunk in self._chunks]

    def __len__(self) -> int:
        return sum(map(len, self._chunks))

    def add(self, key: int) -> None:
        """Add a key that is not in it."""
        if not self._chunks:
            self._chunks.append([key])
            self._tops.append(key)
            return
        place = min(bisect_left(self._tops, key), len(self._chunks) - 1)
        chunk = self._chunks[place]
        insort(chunk, key)
        self._tops[place] = chunk[-1]
        if len(chunk) > self._CHUNK:
            half = len(chunk) // 2
            self._chunks[place : place + 1] = [chunk[:half], chunk[half:]]
            self._tops[place : place + 1] = [chunk[half - 1], chunk[-1]]

    def remove(self, key: int) -> None:
        """Take a key out, if it is in."""
        place = bisect_left(self._tops, key)
        if place == len(self._chunks):
            return
        chunk = self._chunks[place]
        inside = bisect_left(chunk, key)
        if chunk[inside] != key:
            return
        del chunk[inside]
        if chunk:
            self._tops[place] = chunk[-1]
        else:
            del self._chunks[place], self._tops[place]

    def rank(self, key: int) -> int:
        """Return how many keys are smaller."""
        place = bisect_left(self._tops, key)
        before = sum(map(len, islice(self._chunks, place)))
        return before + (bisect_left(self._chunks[place], key) if place < len(self._chunks) else 0)

    def between(self, low: int, high: int, *, descending: bool = False) -> Iterator[int]:
        """Yield the keys from `low` to `high`, both inclusive."""
        first, last = bisect_left(self._tops, low), bisect_left(self._tops, high)
        places = range(first, min(last + 1, len(self._chunks)))
        for place in reversed(places) if descending else places:
            chunk = self._chunks[place]
            start, end = bisect_left(chunk, low), bisect_right(chunk, high)
            part = chunk[start:end]
            yield from reversed(part) if descending else part
