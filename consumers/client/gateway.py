"""Asks a gateway for one user: a connection for each request, in a thread."""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from kernel.errors import CODES, TouchlineError

_TIMEOUT_S: Final = 30


class _Problem(msgspec.Struct):
    code: str = "unavailable"
    detail: str = "The server does not say what is wrong."


class Gateway:
    """The way to it. Everything that is refused is raised as TouchlineError."""

    def __init__(self, address: str, *, token: str | None = None, user: str | None = None) -> None:
        self._gateway = address.rstrip("/")
        given = {
            "Authorization": None if token is None else f"Bearer {token}",
            "Touchline-User": None if user is None else quote(user, safe=""),
        }
        self._headers = {name: value for name, value in given.items() if value is not None}

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON of an answer."""
        return await asyncio.to_thread(self._ask_now, method, path, body)

    def _ask_now(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        at = urlsplit(self._gateway)
        kind = HTTPSConnection if at.scheme == "https" else HTTPConnection
        headers, data = dict(self._headers), None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = msgspec.json.encode({name: value for name, value in body.items() if value is not None})
        with closing(kind(at.hostname or "", at.port, timeout=_TIMEOUT_S)) as connection:
            try:
                connection.request(method, f"{at.path}{path}", data, headers)
                response = connection.getresponse()
                answer = response.read()
            except (OSError, HTTPException) as error:
                raise TouchlineError(
                    "unavailable", f"The gateway at {self._gateway} does not answer ({error})."
                ) from error
        if response.status >= 300:
            raise _refusal(answer)
        return msgspec.json.decode(answer, type=dict[str, Any])


def _refusal(answer: bytes) -> TouchlineError:
    try:
        problem = msgspec.json.decode(answer, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    return TouchlineError(problem.code if problem.code in CODES else "unavailable", problem.detail)
