"""`callstream dead`, as an operator uses it."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.config.values import Secret
from jobs.deadletters.envelope import Envelope
from jobs.ledger.ledger import Ledger
from jobs.redis import command
from tests.support.commands import CALLSTREAM, run_command
from tests.support.installs import new_key
from tests.support.letters import QUICK, SECRET, all_of, box_of, bury, letter

pytestmark = pytest.mark.one_redis

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def dead(tmp_path: Path, redis_url: str, namespace: str) -> Run:
    """Runs `callstream dead` with arguments, and with settings by name."""

    def run(*arguments: str, **settings: str) -> CompletedProcess[str]:
        own = {"REDIS_URL": redis_url, "NAMESPACE": namespace, "COLUMNS": "200", **settings}
        return run_command([*CALLSTREAM, "dead", *arguments], tmp_path, **own)

    return run


async def test_list_shows_why_and_never_what(redis: Redis, namespace: str, dead: Run) -> None:
    """The list tells id, reason, place and error; in no form does it show the bytes."""
    await bury(redis, namespace, letter("512"), letter("513", reason="undecodable-call"))
    shown = dead("list")
    assert shown.returncode == 0, shown.stderr
    for word in ("512", "513", "refused", "undecodable-call", "HubSpot refuses it"):
        assert word in shown.stdout
    told = dead("list", "--json", "--reason", "refused")
    (one,) = msgspec.json.decode(told.stdout)["letters"]
    assert (one["call_id"], one["portal_id"], one["attempts"]) == ("512", 1, 3)
    for result in (shown, told, dead("show", one["id"]), dead("show", one["id"], "--json")):
        assert result.returncode == 0, result.stderr
        assert SECRET not in result.stdout + result.stderr


async def test_pages(redis: Redis, namespace: str, dead: Run) -> None:
    """A list that is cut says how to go on."""
    await bury(redis, namespace, letter("1"), letter("2"))
    cut = dead("list", "--limit", "1")
    after = cut.stderr.rpartition(" ")[2].strip()
    assert "--after" in cut.stderr
    assert [
        one["call_id"]
        for one in msgspec.json.decode(dead("list", "--after", after, "--json").stdout)["letters"]
    ] == ["1"]


async def test_raw_bytes_need_the_key(redis: Redis, namespace: str, dead: Run) -> None:
    """Encrypted bytes are written out with TOKEN_KEYS, and refused in one line without."""
    key: Secret = new_key()
    await Ledger(redis, namespace, QUICK, Envelope([key])).mark([], [letter("512")])
    (one,) = await all_of(box_of(redis, namespace))
    assert dead("show", one.id, "--raw", TOKEN_KEYS=key.reveal()).stdout == SECRET
    refused = dead("show", one.id, "--raw")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "TOKEN_KEYS" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


async def test_replay_by_id_and_twice(redis: Redis, namespace: str, dead: Run) -> None:
    """A replayed letter's call waits to be read; the second time says that it is gone."""
    await bury(redis, namespace, letter("512"))
    (one,) = await all_of(box_of(redis, namespace))
    first = dead("replay", one.id)
    assert (first.returncode, first.stdout) == (0, "1 call to be read again\n")
    assert await command(redis, "ZCARD", "tenant-1:ledger:1:due") == 1
    second = dead("replay", one.id, "--json")
    assert second.returncode == 0
    assert msgspec.json.decode(second.stdout) == {
        "replayed": 0,
        "left": 0,
        "gone": 1,
        "more": False,
    }


async def test_bulk(redis: Redis, namespace: str, dead: Run) -> None:
    """Letters are replayed and dropped by reason, account and time."""
    await bury(
        redis,
        namespace,
        letter("1"),
        letter("2", reason="x"),
        letter("3", portal_id=2),
        letter(None, reason="page"),
    )
    assert "1 call to be" in dead("replay", "--reason", "x", "--portal", "1").stdout
    assert dead("drop", "--since", "1h", "--portal", "2").stdout == "1 dead letter dropped\n"
    assert "0 calls to be" in dead("replay", "--until", "1h").stdout
    rest = dead("replay", "--all")
    assert "1 call to be read again; 1 letter left that name no call" in rest.stdout
    assert "1 dead letter dropped" in dead("drop", "--all").stdout
    empty = dead("list")
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "no dead letters\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("replay",), "say which"),
        (("drop",), "say which"),
        (("replay", "1-0", "--all"), "do not go together"),
        (("drop", "1-0", "--reason", "x"), "do not go together"),
        (("show", "nonsense"), "is no id"),
        (("list", "--since", "yesterday"), "RFC 3339"),
        (("list", "--portal", "0"), "--portal"),
        (("list", "--after", "x"), "is no id"),
    ],
)
def test_wrong_usage(redis: Redis, dead: Run, arguments: tuple[str, ...], says: str) -> None:
    """What makes no sense is refused in one line, with status 2, and nothing is done."""
    del redis
    result = dead(*arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_a_letter_that_is_not_there(redis: Redis, dead: Run) -> None:
    """Showing a letter that is not there fails in one line."""
    del redis
    result = dead("show", "1-0")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "callstream: there is no dead letter 1-0\n"
