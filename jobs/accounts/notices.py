"""The notice on every stream that an account was removed."""

from callstream_client import events, keys
from callstream_client.events import NoticeData
from redis.asyncio import Redis

from jobs import instants
from jobs.redis import command


class Removed:
    """Tells consumers of an account's removal."""

    def __init__(self, streams: Redis, namespace: str, portal_id: int, removal: str) -> None:
        """Speak of one removal; `removal` tells it from an earlier one of the same account."""
        self._streams = streams
        self._namespace = namespace
        self._portal_id = portal_id
        self._removal = removal

    async def tell(self, partition: int, first_id: str | None, last_id: str | None) -> None:
        """Append the notice to a partition's stream; told again, it has the same id.

        Args:
            partition: whose stream.
            first_id: the first entry of the account that was deleted; None if none was.
            last_id: the last one.

        Raises:
            redis.RedisError: the streams' Redis did not take it.
        """
        seconds, micros = await self._streams.time()
        data = NoticeData(
            portal_id=self._portal_id, partition=partition, first_id=first_id, last_id=last_id
        )
        fields: dict[str, str | bytes] = {
            "specversion": events.SPEC_VERSION,
            "id": f"{self._portal_id}:removed:{self._removal}:{partition}",
            "source": keys.source(self._namespace, self._portal_id),
            "type": events.ACCOUNT_REMOVED,
            "subject": str(self._portal_id),
            "time": instants.ms_to_text(seconds * 1000 + micros // 1000) or "",
            "datacontenttype": events.CONTENT_TYPE,
            "dataschema": events.NOTICE_SCHEMA,
            "data": events.encode_data(data),
        }
        words = [word for pair in fields.items() for word in pair]
        await command(self._streams, "XADD", keys.stream(self._namespace, partition), "*", *words)
