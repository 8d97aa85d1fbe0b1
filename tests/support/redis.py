"""What tests say about the Redis servers that they are given."""

from collections.abc import Callable

from service.embedded.server import EmbeddedRedis

MakeRedis = Callable[..., EmbeddedRedis]
"""Starts one more server of the age under test: `aof`, `port` and options as in redis.conf, with
underscores for hyphens. It is closed after the test."""
