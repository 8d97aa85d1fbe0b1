"""The digest of a call's state: 8 bytes that differ when HubSpot's raw values differ.

It covers the wanted properties, the archived flag and the association ids, as HubSpot gave them,
and nothing derived from them: a release that normalises differently changes no digest. The encoding
is part of what Redis keeps; a change to it would publish every known call once more.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b

import msgspec

BYTES = 8
"""Length of a digest."""

_encode = msgspec.msgpack.Encoder().encode

UNTRACKED = frozenset({"hs_lastmodifieddate"})
"""Properties that move with every write to the call, whatever was written."""


def of_call(
    properties: Mapping[str, str | None],
    associations: Mapping[str, Collection[str]],
    *,
    archived: bool,
    wanted: Iterable[str],
) -> bytes:
    """Return the digest of a call that HubSpot has, live or archived.

    A null value counts as absent, and so does an association type without ids.

    Args:
        properties: HubSpot's raw values by property name; those not wanted are left out.
        associations: ids on the other side by association type, in any order, repeated or not.
        archived: HubSpot's flag.
        wanted: names of the properties that are read.
    """
    names = _tracked(wanted if isinstance(wanted, tuple) else tuple(wanted))
    if tuple(properties) == names:  # as they mostly come: twice as fast
        values = [pair for pair in properties.items() if pair[1] is not None]
    else:
        get = properties.get
        values = [(name, value) for name in names if (value := get(name)) is not None]
    targets = [
        (kind, sorted(set(ids)) if len(ids) > 1 else ids)
        for kind, ids in sorted(associations.items())
        if ids
    ]
    return _digest("call", archived, values, targets)


@lru_cache(maxsize=64)
def _tracked(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that count, in their order; there are few lists, and many calls of each."""
    return tuple(sorted(set(wanted) - UNTRACKED))


def of_merged(target: str) -> bytes:
    """Return the digest of a call that was merged into the call `target`."""
    return _digest("merged", target)


def _digest(*parts: object) -> bytes:
    # msgpack states each length before its content: no two states share an encoding.
    return blake2b(_encode(parts), digest_size=BYTES).digest()


GONE = _digest("gone")
"""The digest of a call that HubSpot no longer has."""
