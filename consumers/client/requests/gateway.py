"""How the SDK's classes ask a gateway: a request, its JSON, and refusals as TouchlineError."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from kernel.errors import TouchlineError
from kernel.problem_json import problem_of

_TIMEOUT_S: Final = 30


class Asking:
    """One user at one gateway."""

    def __init__(
        self,
        gateway: str = "http://127.0.0.1:18080",
        *,
        token: str | None = None,
        user: str | None = None,
    ) -> None:
        self._gateway = gateway.rstrip("/")
        given = {
            "Authorization": None if token is None else f"Bearer {token}",
            "Touchline-User": None if user is None else quote(user, safe=""),
        }
        self._headers = {name: value for name, value in given.items() if value is not None}

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = None
        if body is not None:
            data = msgspec.json.encode({name: value for name, value in body.items() if value is not None})
        return await asyncio.to_thread(self._ask_now, method, path, data, "application/json")

    async def _ask_of_many(self, method: str, path: str, lines: Sequence[Any]) -> dict[str, Any]:
        """One request about many things, a line each."""
        data = msgspec.json.Encoder().encode_lines(lines)
        return await asyncio.to_thread(self._ask_now, method, path, data, "application/x-ndjson")

    def _ask_now(self, method: str, path: str, data: bytes | None, type_: str) -> dict[str, Any]:
        headers = dict(self._headers)
        if data is not None:
            headers["Content-Type"] = type_
        with closing(self._connection()) as connection:
            try:
                connection.request(method, f"{self._path}{path}", data, headers)
                response = connection.getresponse()
                answer = response.read()
            except (OSError, HTTPException) as error:
                raise self._away(error) from error
        if response.status >= 300:
            raise problem_of(answer)
        return msgspec.json.decode(answer, type=dict[str, Any])

    async def _pages(self, path: str, rows: str) -> AsyncIterator[dict[str, Any]]:
        """All rows of a list, page by page."""
        cursor: str | None = ""
        while cursor is not None:
            query = urlencode({"limit": "200", **({"cursor": cursor} if cursor else {})})
            page = await self._ask("GET", f"{path}?{query}")
            for row in page[rows]:
                yield row
            cursor = page["next"]

    @property
    def _path(self) -> str:
        return urlsplit(self._gateway).path

    def _connection(self) -> HTTPConnection:
        at = urlsplit(self._gateway)
        kind = HTTPSConnection if at.scheme == "https" else HTTPConnection
        return kind(at.hostname or "", at.port, timeout=_TIMEOUT_S)

    def _away(self, error: Exception) -> TouchlineError:
        return TouchlineError("unavailable", f"The gateway at {self._gateway} does not answer ({error}).")
