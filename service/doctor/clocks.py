"""Whether this machine's clock agrees with Redis' and with HubSpot's.

A signature is refused five minutes away from our clock; Redis' clock gives the versions of calls.
"""

import time
from collections.abc import Sequence
from typing import Final

import msgspec
from redis.exceptions import RedisError

from jobs.config.settings import Settings
from jobs.hubspot.errors import HubSpotError
from jobs.hubspot.faults import date_ms
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Request, Transport
from jobs.redis import command, connect
from service.doctor.findings import Finding, Notes
from service.doctor.telling import told
from service.front_door.signature import MAX_SKEW_MS

OFF_MS: Final = 10_000
"""A difference from here on is worth a warning."""
TOO_FAR_MS: Final = MAX_SKEW_MS - 60_000
"""From here on deliveries that come a little late are refused."""
_DATE_STEP_MS: Final = 1_000
"""An HTTP date has whole seconds, cut off."""


class Comparison(msgspec.Struct, frozen=True):
    """Another clock against ours."""

    ahead_ms: int
    """How far the other one is ahead of ours; negative = behind."""
    unsure_ms: int
    """How far that may be off, either way."""

    @property
    def least_ms(self) -> int:
        """How far apart they are at least."""
        return max(0, abs(self.ahead_ms) - self.unsure_ms)


async def examine_clocks(settings: Settings, transport: Transport) -> Sequence[Finding]:
    """Compare the clocks."""
    notes = Notes("clocks")
    try:
        compared = await _hubspot(settings, transport)
    except HubSpotError as error:
        said, todo = told(error)
        notes.warning("HubSpot", f"not checked: {said}", todo)
    else:
        judge_hubspot(compared, notes)
    if settings.redis_url:
        try:
            judge_redis(await _redis(settings.redis_url), notes)
        except (RedisError, OSError, ValueError) as error:
            said = f"not checked: {type(error).__name__}"
            notes.warning("Redis", said, "see to Redis first")
    return notes.findings


async def _hubspot(settings: Settings, transport: Transport) -> Comparison | None:
    """Compare with the `Date` of an answer; any will do, also to a stranger."""
    paths = Paths(settings.hubspot_api_version)
    began = time.time()
    answer = await transport.send(Request("GET", paths.account), None)
    ended = time.time()
    date = date_ms(answer.headers)
    if date is None:
        return None
    return compare(date + _DATE_STEP_MS // 2, began, ended, _DATE_STEP_MS)


async def _redis(url: str) -> Comparison:
    async with connect(url, retries=0) as redis:
        await command(redis, "PING")  # so that connecting does not count
        began = time.time()
        answer = await command(redis, "TIME")
        ended = time.time()
    seconds, micros = msgspec.convert(answer, tuple[int, int], strict=False)
    return compare(seconds * 1_000 + micros // 1_000, began, ended, 1)


def compare(told_ms: int, began_s: float, ended_s: float, step_ms: int) -> Comparison:
    """Compare what was told between two moments of ours, by a clock of steps of `step_ms`."""
    middle_ms = (began_s + ended_s) * 500
    unsure_ms = (ended_s - began_s) * 500 + step_ms / 2
    return Comparison(round(told_ms - middle_ms), round(unsure_ms))


def judge_hubspot(compared: Comparison | None, notes: Notes) -> None:
    """Judge what signatures are checked against."""
    if compared is None:
        notes.warning("HubSpot", "not checked: the answer has no Date", "is a proxy in between?")
    elif compared.least_ms >= TOO_FAR_MS:
        said = f"{_apart(compared)}: signatures are refused from {MAX_SKEW_MS // 60_000} min on"
        notes.problem("HubSpot", said, "set this machine's clock, and keep it by NTP")
    elif compared.least_ms >= OFF_MS:
        notes.warning("HubSpot", _apart(compared), "keep this machine's clock by NTP")
    else:
        notes.ok("HubSpot", "agrees with this machine's")


def judge_redis(compared: Comparison, notes: Notes) -> None:
    """Judge what all of our own times come from."""
    if compared.least_ms >= OFF_MS:
        notes.warning("Redis", _apart(compared), "keep the clocks of both machines by NTP")
    else:
        notes.ok("Redis", "agrees with this machine's")


def _apart(compared: Comparison) -> str:
    which = "ahead of" if compared.ahead_ms > 0 else "behind"
    return f"{abs(compared.ahead_ms) // 1000} s {which} this machine's"
