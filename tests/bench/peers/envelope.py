"""The envelope that every peer writes, so that all of them fill the same stream.

CloudEvents attributes around whatever the peer's own form of a call is. Standard library only.
"""

import json

SPACE = "/callstream/default/hubspot/portals/62515"


def entry(call_id: str, updated_at: str, sequence: int, record: object) -> dict[str, str]:
    """Return the fields of one entry."""
    return {
        "specversion": "1.0",
        "id": f"62515:{call_id}:{sequence}",
        "source": SPACE,
        "type": "callstream.call.snapshot",
        "subject": call_id,
        "time": updated_at,
        "datacontenttype": "application/json",
        "dataschema": "urn:callstream:schema:call-event:v1",
        "partitionkey": f"62515:{call_id}",
        "sequence": f"{sequence:020}",
        "data": json.dumps(record, default=str),
    }
