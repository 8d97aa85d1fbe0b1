"""The names of the keys that a consumer reads; each after the namespace and a colon, if it has one.

- `calls:{0}` ... `calls:{N-1}`: the streams, one a partition; the braces are part of the name.
- `calls:meta`: hash; `partitions` holds N, `schema` the version of the schema of `data`.
"""

from typing import Final

META_PARTITIONS: Final = "partitions"
"""Field of `calls:meta`: how many partitions there are."""
META_SCHEMA: Final = "schema"
"""Field of `calls:meta`: the version of the schema of `data`."""
SCHEMA_VERSION: Final = "1"
"""The schema version that this release writes."""


def prefix(namespace: str) -> str:
    """Return what every key of the namespace starts with."""
    return f"{namespace}:" if namespace else ""


def stream(namespace: str, partition: int) -> str:
    """Return the key of a partition's stream."""
    return f"{prefix(namespace)}calls:{{{partition}}}"


def meta(namespace: str) -> str:
    """Return the key that tells the number of partitions."""
    return f"{prefix(namespace)}calls:meta"


def source(namespace: str, portal_id: int) -> str:
    """Return the `source` of the events of an account."""
    return f"/callstream/{namespace or 'default'}/hubspot/portals/{portal_id}"


def partition_key(portal_id: int, call_id: str) -> str:
    """Return the `partitionkey` of the events of a call."""
    return f"{portal_id}:{call_id}"
