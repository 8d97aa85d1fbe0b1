"""The embedded Redis: a real server that is there when asked for and gone afterwards."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.embedded.server import EmbeddedRedis, EmbeddedRedisError
from tests.support.processes import alive, eventually, parent_of
from tests.support.redis import MakeRedis

STARTER = """
import os, sys, time
from service.embedded.server import EmbeddedRedis
with EmbeddedRedis() as server:
    print(server.pid, server.folder, flush=True)
    if "fork" in sys.argv and os.fork() == 0:
        os.close(1)
        time.sleep(30)
        os._exit(0)
    time.sleep(30)
"""


def client(server: EmbeddedRedis) -> Redis:
    """Return a client with a short patience."""
    return Redis.from_url(server.url, socket_timeout=0.2)


def test_it_answers_when_entered(make_redis: MakeRedis) -> None:
    """The server answers as soon as it has been entered."""
    with client(make_redis()) as redis:
        assert redis.ping()


async def test_it_is_an_async_context_manager_too(redis_server: EmbeddedRedis) -> None:
    """Entered asynchronously it answers as well, and is gone afterwards."""
    async with EmbeddedRedis(redis_server.binary) as server:
        folder, pid = server.folder, server.pid
        with client(server) as redis:
            assert redis.ping()
    assert not folder.exists()
    assert pid is not None
    assert not alive(pid)


def test_it_listens_on_loopback_only(make_redis: MakeRedis) -> None:
    """With a port it binds 127.0.0.1 and nothing else, without one no port at all."""
    with client(make_redis(port=0)) as redis:
        assert redis.config_get("bind") == {"bind": "127.0.0.1"}
    with client(make_redis()) as redis:
        assert redis.config_get("port") == {"port": "0"}


def test_it_never_evicts(make_redis: MakeRedis) -> None:
    """A full server refuses writes instead of dropping keys."""
    with client(make_redis()) as redis:
        assert redis.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_secrets_stay_with_the_starter(
    redis_server: EmbeddedRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's environment holds none of the starter's settings."""
    real, seen = redis_server.binary, tmp_path / "seen"
    spy = tmp_path / "redis-server"
    spy.write_text(f"#!/bin/sh\nenv > '{seen}'\nexec '{real.path}' \"$@\"\n")
    spy.chmod(0o755)
    monkeypatch.setenv("HUBSPOT_CLIENT_SECRET", "planted")
    with EmbeddedRedis(msgspec.structs.replace(real, path=str(spy))):
        assert "planted" not in seen.read_text()
        assert "PATH=" in seen.read_text()


def test_aof_outlives_a_kill(make_redis: MakeRedis) -> None:
    """With an append-only file what was acknowledged is there after SIGKILL and a new start."""
    server = make_redis(aof=True, appendfsync="always")
    with client(server) as redis:
        redis.set("call", "512")
    url = server.url
    server.restart()
    assert server.url == url
    with client(server) as redis:
        assert redis.get("call") == b"512"


def test_without_aof_a_restart_is_empty(make_redis: MakeRedis) -> None:
    """Without an append-only file a restarted server knows nothing."""
    server = make_redis()
    with client(server) as redis:
        redis.set("call", "512")
    server.restart()
    with client(server) as redis:
        assert redis.dbsize() == 0


def test_a_stopped_server_starts_again(make_redis: MakeRedis) -> None:
    """A server that was stopped in good order starts again on the same address."""
    server = make_redis(port=0)
    server.stop()
    assert server.pid is None
    server.start()
    with client(server) as redis:
        assert redis.ping()


def test_a_paused_server_keeps_silent(make_redis: MakeRedis) -> None:
    """A paused server answers nothing until it is resumed."""
    server = make_redis()
    with client(server) as redis:
        redis.ping()
        server.pause()
        with pytest.raises(RedisTimeoutError):
            redis.ping()
        server.resume()
        assert redis.ping()


def test_a_paused_server_can_be_closed(make_redis: MakeRedis) -> None:
    """Closing ends a paused server as well."""
    server = make_redis()
    pid = server.pid
    assert pid is not None
    server.pause()
    server.close()
    assert not alive(pid)


def test_closing_twice_is_harmless(make_redis: MakeRedis) -> None:
    """A closed server may be closed again."""
    server = make_redis()
    server.close()
    server.close()


def test_a_wrong_option_is_told_in_one_line(make_redis: MakeRedis) -> None:
    """A server that does not start says why, in one line, and leaves nothing behind."""
    with pytest.raises(EmbeddedRedisError, match=r"\(.+\) did not start: ") as failure:
        make_redis(maxmemory="plenty")
    assert "\n" not in str(failure.value)


def test_no_server_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any server the error says how to get one, in one line."""
    monkeypatch.setattr("service.embedded.server.find_binaries", list)
    with pytest.raises(
        EmbeddedRedisError, match=r"REDIS_URL.*apt install.*brew install"
    ) as failure:
        EmbeddedRedis().start()
    assert "\n" not in str(failure.value)


def test_a_long_temporary_folder_is_avoided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the temporary folder's path is too long for a socket, /tmp is used."""
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with EmbeddedRedis() as server:
        assert len(server.url) < 110
    assert list(deep.iterdir()) == []


def starter(*arguments: str) -> subprocess.Popen[str]:
    """Start a process that embeds a server and prints its pid and its folder."""
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        pytest.param(signal.SIGINT, (), id="ctrl-c"),
        pytest.param(signal.SIGTERM, (), id="terminated"),
        pytest.param(signal.SIGKILL, (), id="killed"),
        pytest.param(signal.SIGKILL, ("fork",), id="killed-beside-a-forked-copy"),
    ],
)
def test_it_is_gone_with_its_starter(number: int, arguments: tuple[str, ...]) -> None:
    """However the starter ends, server and folder are gone; a copy of it holds nothing up."""
    with starter(*arguments) as process:
        assert process.stdout is not None
        pid, folder = process.stdout.readline().split()
        assert alive(int(pid))
        process.send_signal(number)
        process.wait(10)
        assert eventually(lambda: not alive(int(pid)) and not Path(folder).exists())
        with contextlib.suppress(ProcessLookupError):  # the forked copy, where there is one
            os.killpg(process.pid, signal.SIGKILL)


def test_the_whole_group_may_be_killed() -> None:
    """SIGKILL to the starter's whole process group leaves no server behind."""
    with starter() as process:
        assert process.stdout is not None
        pid, folder = process.stdout.readline().split()
        os.killpg(process.pid, signal.SIGKILL)
    assert eventually(lambda: not alive(int(pid)) and not Path(folder).exists())


def test_a_killed_keeper_leaves_nothing_after_close() -> None:
    """Even when its keeper was killed, closing ends the server and removes its folder."""
    with EmbeddedRedis() as server:
        pid, folder = server.pid, server.folder
        assert pid is not None
        os.kill(parent_of(pid), signal.SIGKILL)
    assert eventually(lambda: not alive(pid))
    assert not folder.exists()
