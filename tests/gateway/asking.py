"""Asking the gateway over HTTP, with tokens."""

import time
from collections.abc import Mapping
from itertools import count
from typing import Any

import msgspec
from aiohttp import ClientSession

from kernel.access.tokens import sign
from tests.gateway.conftest import SECRET
from tests.pipeline import Pipeline

#: Ingest offsets of the events that tests write: none twice.
OFFSETS = count(1)
#: In each of these chats somebody of its name has said the same word.
ROOMS = ("open", "open~2", "opener", "closed")


def token(user: str, **can: tuple[str, ...]) -> str:
    """A token that allows this; without anything, to search everything.

    It outlasts the run: some modules make theirs when they are collected.
    """
    return sign(user, can or {"search": ("*",)}, expires_s=time.time() + 86_400, key=SECRET)


async def ask(
    pipeline: Pipeline,
    path: str,
    given: str | None,
    method: str = "GET",
    params: Mapping[str, str] | None = None,
    **more: Any,
) -> tuple[int, Any]:
    """Status and JSON body of the answer."""
    headers = {"Authorization": f"Bearer {given}"} if given else {}
    async with (
        ClientSession(headers=headers) as http,
        http.request(method, f"{pipeline.gateway_url}{path}", params=params, **more) as response,
    ):
        return response.status, msgspec.json.decode(await response.read())
