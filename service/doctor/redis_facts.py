"""What is made of a Redis' own words: pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from jobs.config.settings import Settings
from service.doctor.findings import Notes
from service.front_door.outages import Outage

OLDEST: Final = (6, 2)
"""The oldest version whose commands and scripts are used."""
TIGHT, FULL = 0.75, 0.9
"""Shares of the memory limit from which on there is little room, and hardly any."""
MOST_OF_MACHINE: Final = 0.6
"""The share of the machine's memory that an unlimited Redis may take: a rewrite of its file copies
what changes meanwhile."""
_GIB: Final = 1 << 30


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a Redis says about itself; texts as it writes them."""

    info: Mapping[str, str]
    config: Mapping[str, str]
    """What INFO does not tell; empty where CONFIG is not allowed, as on managed servers."""
    outage: Outage | None = None
    """Why it does not take a small write."""
    partitions: int | None = None
    """Into how many streams calls are divided; None before the first process has said so."""
    waits_for_disk: bool = False
    """Whether it knows WAITAOF."""

    def number(self, name: str) -> int:
        """Return a number of INFO, 0 if it is not told."""
        digits = self.info.get(name, "0").partition(".")[0]
        return int(digits) if digits.isdecimal() else 0


def judge_redis(facts: Facts, notes: Notes) -> None:
    """Judge what every Redis of ours must be."""
    _judge_version(facts, notes)
    _judge_role(facts, notes)
    _judge_persistence(facts, notes)
    _judge_eviction(facts, notes)
    _judge_headroom(facts, notes)


def _judge_version(facts: Facts, notes: Notes) -> None:
    valkey = facts.info.get("valkey_version")
    version = valkey or facts.info.get("redis_version", "")
    named = f"{'Valkey' if valkey else 'Redis'} {version or 'of unknown version'}"
    parts = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    if len(parts) == len(OLDEST) and tuple(parts) >= OLDEST:
        notes.ok("version", named)
    else:
        notes.problem("version", named, "use Redis 6.2 or later, or Valkey")


def _judge_role(facts: Facts, notes: Notes) -> None:
    if facts.info.get("role") == "slave":
        notes.problem("writes", "this is a replica, which takes none", "name the primary's address")
    elif facts.number("cluster_enabled"):
        said = "this is a node of a Redis Cluster, on which the job queue cannot work"
        notes.problem("writes", said, "use a single server, or one with replicas")
    elif facts.outage is not None:
        todo = {
            Outage.FULL: "give it more memory (maxmemory), or shorten STREAM_MAX_AGE",
            Outage.DENIED: "give its user the right to write (ACL)",
        }.get(facts.outage, "its log says why")
        notes.problem("writes", f"a small write is refused: {facts.outage}", todo)
    else:
        notes.ok("writes", "taken")


def _judge_persistence(facts: Facts, notes: Notes) -> None:
    check, keep = "persistence", "set appendonly yes and appendfsync everysec"
    failed = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if facts.info.get(name, "ok") != "ok"
    ]
    sync = facts.config.get("appendfsync")
    if failed:
        todo = "look at its log and its disk; until then nothing new is kept"
        notes.problem(check, f"it could not write its files: {', '.join(failed)}", todo)
    elif facts.number("aof_enabled"):
        if sync == "no":
            said = "append-only file, written whenever the system likes"
            notes.warning(check, said, "set appendfsync everysec")
        else:
            notes.ok(check, f"append-only file, appendfsync {sync or 'not told'}")
    elif "save" not in facts.config:
        said = "no append-only file, and it does not tell whether it takes snapshots"
        notes.warning(check, said, "make sure that the service keeps data over a restart")
    elif facts.config["save"]:
        said = "snapshots only: a crash loses minutes of acknowledged changes"
        notes.warning(check, said, keep)
    elif facts.number("connected_slaves"):
        said = "none but its replicas: a restart before they take over loses everything"
        notes.warning(check, said, keep)
    else:
        notes.problem(check, "none: a restart loses every acknowledged change", keep)


def _judge_eviction(facts: Facts, notes: Notes) -> None:
    check, todo = "eviction", "set maxmemory-policy noeviction"
    policy = facts.info.get("maxmemory_policy", "")
    if policy == "noeviction":
        notes.ok(check, "noeviction")
    elif not policy:
        notes.warning(check, "the policy is not told", "make sure that it is noeviction")
    elif not facts.number("maxmemory"):
        said = f"{policy}, without effect while maxmemory is not set"
        notes.warning(check, said, todo)
    elif policy.startswith("volatile"):
        notes.warning(check, f"{policy}: when memory is full, jobs are dropped", todo)
    else:
        said = f"{policy}: when memory is full, whole streams and marks are dropped"
        notes.problem(check, said, todo)


def _judge_headroom(facts: Facts, notes: Notes) -> None:
    check, used, limit = "headroom", facts.number("used_memory"), facts.number("maxmemory")
    machine = facts.number("total_system_memory")
    more = "raise maxmemory, or shorten STREAM_MAX_AGE"
    if limit:
        said = f"{_size(used)} of {_size(limit)} used"
        if used >= FULL * limit:
            notes.problem(check, said, more)
        elif used >= TIGHT * limit:
            notes.warning(check, said, more)
        else:
            notes.ok(check, said)
    elif machine and used >= MOST_OF_MACHINE * machine:
        said = f"{_size(used)} of the machine's {_size(machine)} used, and no maxmemory"
        notes.warning(check, said, "set maxmemory, and give the machine more memory")
    else:
        notes.ok(check, f"{_size(used)} used, no maxmemory")


def judge_durability(facts: Facts, settings: Settings, notes: Notes) -> None:
    """Judge whether the server can keep what `DURABILITY` promises."""
    check, promise = "durability", settings.durability
    aof = bool(facts.number("aof_enabled"))
    if promise == "replicated" and not facts.number("connected_slaves"):
        said = "DURABILITY=replicated, and it has no replica: every delivery is answered 503"
        notes.problem(check, said, "attach a replica, or set another DURABILITY")
    elif promise == "fsync" and not aof:
        said = "DURABILITY=fsync, and it has no append-only file: every delivery is answered 503"
        notes.problem(check, said, "set appendonly yes")
    elif promise == "fsync" and not (
        facts.waits_for_disk or facts.config.get("appendfsync") == "always"
    ):
        said = "DURABILITY=fsync, and it has neither WAITAOF nor appendfsync always"
        notes.problem(check, said, "set appendfsync always, or use Redis 7.2 or later, or Valkey")
    else:
        notes.ok(check, f"DURABILITY={promise} can be kept")


def judge_partitions(facts: Facts, settings: Settings, notes: Notes) -> None:
    """Judge whether the streams are as many as the settings say."""
    wanted, held = settings.stream_partitions, facts.partitions
    if held is None:
        notes.ok("partitions", f"{wanted}, to be fixed by the first process")
    elif held == wanted:
        notes.ok("partitions", str(held))
    else:
        said = f"STREAM_PARTITIONS is {wanted}, the streams were begun with {held}"
        notes.problem("partitions", said, f"set STREAM_PARTITIONS={held}")


def _size(count: int) -> str:
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / (1 << 20):.1f} MiB"
