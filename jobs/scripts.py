"""Loads the Lua scripts beside this package and runs them on Redis."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import cast

from redis.asyncio import Redis
from redis.commands.core import AsyncScript


@cache
def source(name: str) -> str:
    """Return the text of `jobs/lua/<name>.lua`."""
    return (files("jobs") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


class Script:
    """One Lua script, joined from the named files in order, on one Redis.

    Runs by EVALSHA and loads itself again when the server has forgotten it, as after a restart.
    """

    def __init__(self, redis: Redis, *names: str, text: str | None = None) -> None:
        joined = text if text is not None else "\n".join(source(name) for name in names)
        self._script: AsyncScript = redis.register_script(joined)

    async def __call__(self, keys: Sequence[str], args: Sequence[bytes | str | int]) -> object:
        """Run the script; raises `redis.RedisError` as the server or the connection failed."""
        return cast("object", await self._script(keys=list(keys), args=list(args)))
