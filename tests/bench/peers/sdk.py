"""HubSpot's official Python SDK, page by page, with each page's calls in one pipeline of XADDs.

Set up as its documentation shows: one client, `calls.basic_api.get_page` with the largest page, and
redis-py with the hiredis parser.

`python -m tests.bench.peers.sdk API_URL TOKEN REDIS_URL STREAM PROPERTIES ASSOCIATIONS`, where
`sdk.txt` is installed; prints what `tests.bench.peers.told` says.
"""

import importlib
import sys
from typing import Any

from tests.bench.peers.envelope import entry
from tests.bench.peers.told import Told


def main(api_url: str, token: str, redis_url: str, stream: str, *names: str) -> None:
    """Read all live calls and append one entry for each."""
    properties, associations = (name.split(",") for name in names)
    hubspot: Any = importlib.import_module("hubspot")
    redis: Any = importlib.import_module("redis")
    api = hubspot.HubSpot(access_token=token, host=api_url).crm.objects.calls.basic_api
    client = redis.Redis.from_url(redis_url)
    client.ping()
    calls, after = 0, None
    told = Told("hubspot-api-client", "redis", "hiredis")
    while True:
        page = api.get_page(
            limit=100, after=after, properties=properties, associations=associations
        )
        pipeline = client.pipeline(transaction=False)
        for call in page.results:
            updated_at = call.updated_at.isoformat()
            pipeline.xadd(stream, entry(call.id, updated_at, calls, call.to_dict()))
            calls += 1
        pipeline.execute()
        if page.paging is None:
            break
        after = page.paging.next.after
    told.print(calls)


if __name__ == "__main__":
    main(*sys.argv[1:])
