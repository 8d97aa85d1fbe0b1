"""Says at the start what the connected Redis can promise, in the log of every service."""

import asyncio
from typing import Final

import structlog

from jobs.config.settings import Settings
from service.doctor.findings import Finding, guarded
from service.doctor.redis import examine_redis, examine_streams

_AGAIN_S: Final = 5.0
"""How long until a Redis that is away is asked again."""
_PROMISES: Final = frozenset({"persistence", "eviction", "durability", "headroom"})

_log = structlog.get_logger(__name__)


async def tell_of_redis(settings: Settings) -> None:
    """Log what each Redis promises, and a warning for each promise that it cannot keep.

    Waits for a Redis that is away, and returns once all was told.
    """
    while True:
        findings = [
            *await guarded("redis", examine_redis(settings)),
            *await guarded("streams", examine_streams(settings)),
        ]
        if all(finding.check != "reachable" or finding.level == "ok" for finding in findings):
            break
        await asyncio.sleep(_AGAIN_S)
    for group in dict.fromkeys(finding.group for finding in findings):
        _tell(group, [finding for finding in findings if finding.group == group])


def _tell(group: str, findings: list[Finding]) -> None:
    promised = {finding.check: finding.said for finding in findings if finding.check in _PROMISES}
    _log.info("what this Redis promises", which=group, **promised)
    for finding in findings:
        if finding.level != "ok":
            _log.warning(
                "Redis is not set up for this",
                which=group,
                check=finding.check,
                found=finding.said,
                todo=finding.todo,
            )
