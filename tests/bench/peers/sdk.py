"""HubSpot's official Python SDK, page by page, with each page's calls in one pipeline of XADDs.

`python -m tests.bench.peers.sdk API_URL TOKEN REDIS_URL STREAM PROPERTIES ASSOCIATIONS`, where
`hubspot-api-client` and `redis[hiredis]` are installed; prints a JSON object: calls, cpu_s (of the
pages, not of the start).
"""

import importlib
import json
import sys
import time
from typing import Any

from tests.bench.peers.envelope import entry


def main(api_url: str, token: str, redis_url: str, stream: str, *names: str) -> None:
    """Read all live calls and append one entry for each."""
    properties, associations = (name.split(",") for name in names)
    hubspot: Any = importlib.import_module("hubspot")
    redis: Any = importlib.import_module("redis")
    api = hubspot.HubSpot(access_token=token, host=api_url).crm.objects.basic_api
    client = redis.Redis.from_url(redis_url)
    calls, after = 0, None
    began = time.process_time()
    while True:
        page = api.get_page(
            "calls", limit=100, after=after, properties=properties, associations=associations
        )
        pipeline = client.pipeline(transaction=False)
        for call in page.results:
            updated_at = call.updated_at.isoformat()
            pipeline.xadd(stream, entry(call.id, updated_at, calls, call.to_dict()))
        pipeline.execute()
        calls += len(page.results)
        if page.paging is None:
            break
        after = page.paging.next.after
    print(json.dumps({"calls": calls, "cpu_s": time.process_time() - began}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
