"""A client for tests: asks, remembers what was answered, and decodes it."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

Json = dict[str, Any]
"""Decoded JSON: a test says what it expects of it."""


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Json:
        """The body, an object."""
        return msgspec.json.decode(self.raw, type=dict[str, Any])

    @property
    def results(self) -> list[Json]:
        """The results of a list or batch."""
        return msgspec.convert(self.json["results"], list[dict[str, Any]])

    @property
    def ids(self) -> list[str]:
        """The ids of the results."""
        return [str(item["id"]) for item in self.results]


class Api:
    """Requests to a served simulator."""

    def __init__(self, url: str, session: aiohttp.ClientSession, token: str) -> None:
        self.url = url
        self.session = session
        self.token = token
        self.answers: list[Answer] = []

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask, with the first account's token unless another one is given (empty = none)."""
        bearer = self.token if token is None else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        data: bytes | Mapping[str, str] | None = form
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        async with self.session.request(
            method, path, data=data, headers=headers, allow_redirects=False
        ) as got:
            answer = Answer(
                method, path.partition("?")[0], got.status, got.headers, await got.read()
            )
        self.answers.append(answer)
        return answer

    async def get(self, path: str, *, token: str | None = None) -> Answer:
        """Ask with GET."""
        return await self.ask("GET", path, token=token)

    async def post(self, path: str, body: object, *, token: str | None = None) -> Answer:
        """Ask with POST."""
        return await self.ask("POST", path, body, token=token)
