"""tap-hubspot's listing of custom objects, pointed at calls, with its records into a stream.

The tap knows calls only as part of the old engagements API. Its own way of reading an object type
page by page is run on the calls listing instead, and each record that it would print as a Singer
message is appended, a hundred to a pipeline, which costs it less than a target in another process.

`python -m tests.bench.peers.tap API_URL TOKEN REDIS_URL STREAM PROPERTIES ASSOCIATIONS`, where
`tap.txt` is installed; prints what `tests.bench.peers.told` says.
"""

import importlib
import logging
import sys
from typing import Any

from tests.bench.peers.envelope import entry
from tests.bench.peers.told import Told

BATCH = 100
TIME = {"type": ["null", "string"], "format": "date-time"}
TEXT = {"type": ["null", "string"]}
OTHERS = {
    "type": ["null", "object"],
    "properties": {
        "results": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": TEXT, "type": TEXT}},
        }
    },
}


def catalog(properties: list[str], associations: list[str]) -> dict[str, Any]:
    """Return the catalog entry that the tap would discover for the calls."""
    own = dict.fromkeys(properties, TEXT)
    fields: dict[str, object] = {
        "id": TEXT,
        "createdAt": TIME,
        "updatedAt": TIME,
        "archived": {"type": ["null", "boolean"]},
        "properties": {"type": ["null", "object"], "properties": own},
        "associations": {
            "type": ["null", "object"],
            "properties": dict.fromkeys(associations, OTHERS),
        },
        **{f"property_{name}": TEXT for name in properties},
    }
    breadcrumbs = [[], *(["properties", name] for name in fields)]
    return {
        "stream": "calls",
        "tap_stream_id": "calls",
        "table_name": "calls",
        "schema": {"type": "object", "properties": fields},
        "metadata": [
            {"breadcrumb": crumb, "metadata": {"selected": True}} for crumb in breadcrumbs
        ],
    }


class Target:
    """Appends what the tap would print."""

    def __init__(self, client: Any, stream: str) -> None:  # noqa: ANN401 - not installed here
        self._client = client
        self._stream = stream
        self._pipeline = client.pipeline(transaction=False)
        self.calls = 0

    def write(self, _stream: str, record: dict[str, object], *_: object, **__: object) -> None:
        """Take a record."""
        fields = entry(str(record["id"]), str(record["updatedAt"]), self.calls, record)
        self._pipeline.xadd(self._stream, fields)
        self.calls += 1
        if self.calls % BATCH == 0:
            self.flush()

    def flush(self) -> None:
        """Append what was taken."""
        self._pipeline.execute()


def _nothing(*_: object, **__: object) -> None:
    """Take what the tap says of schema and state."""


def main(api_url: str, token: str, redis_url: str, stream: str, *names: str) -> None:
    """Read all live calls and append one entry for each."""
    properties, associations = (name.split(",") for name in names)
    logging.disable(logging.CRITICAL)
    tap: Any = importlib.import_module("tap_hubspot")
    redis: Any = importlib.import_module("redis")
    target = Target(redis.Redis.from_url(redis_url), stream)
    tap.BASE_URL = api_url
    tap.ENDPOINTS["custom_objects"] = "/crm/v3/objects/{object_name}"
    tap.CONFIG.update(api_key=token, start_date="2000-01-01T00:00:00Z")
    tap.singer.write_record = target.write
    tap.singer.write_schema = tap.singer.write_state = _nothing
    params = {
        "limit": 100,
        "associations": ",".join(associations),
        "properties": ",".join(properties),
        "archived": False,
    }
    told = Told("tap-hubspot", "redis", "hiredis")
    tap.sync_custom_objects(
        stream_id="calls",
        primary_key="id",
        bookmark_key="updatedAt",
        catalog=catalog(properties, associations),
        STATE={},
        params=params,
        is_custom_object=True,
    )
    target.flush()
    told.print(target.calls)


if __name__ == "__main__":
    main(*sys.argv[1:])
