"""Dead letters whose bytes are sealed under an older key: a stream's entries cannot be changed."""

from collections.abc import Mapping
from typing import Final, cast

from callstream_client import keys
from redis.asyncio import Redis

from jobs.accounts.vault import Vault

AT_ONCE: Final = 50
"""Letters that are looked at in one go; each holds up to 64 KiB, and more when it is sealed."""


async def count_outdated(redis: Redis, namespace: str, vault: Vault) -> int:
    """Return how many letters' bytes the newest key does not open.

    Raises:
        redis.RedisError: Redis did not answer.
    """
    stream, start, count = f"{keys.prefix(namespace)}calls:dead", "-", 0
    while True:
        answer = await redis.xrange(stream, start, "+", AT_ONCE)
        letters = cast("list[tuple[bytes, Mapping[bytes, bytes]]]", answer)
        if not letters:
            return count
        sealed = [
            fields[b"raw"]
            for _, fields in letters
            if fields.get(b"kept") == b"sealed" and fields.get(b"raw")
        ]
        count += sum(not vault.is_current(raw) for raw in sealed)
        start = f"({letters[-1][0].decode()}"
