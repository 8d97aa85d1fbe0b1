"""Trims what is older than promised while nothing is published, which otherwise trims."""

from callstream_client import keys
from redis.asyncio import Redis

from jobs.redis import command


async def trim_aged(redis: Redis, namespace: str, partitions: int, max_age_ms: int) -> None:
    """Drop the entries that are older than `max_age_ms` by the server's clock; 0 keeps all.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    if not max_age_ms:
        return
    seconds, micros = await redis.time()
    oldest = seconds * 1000 + micros // 1000 - max_age_ms
    for partition in range(partitions):
        stream = keys.stream(namespace, partition)
        await command(redis, "XTRIM", stream, "MINID", str(max(0, oldest)))
