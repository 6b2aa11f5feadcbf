"""Viewers of one stream who move and come back as the client does, and what each of them has seen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from consumers.client.viewer import Viewer
from tests.consumers.edges import EPOCH


@contextlib.asynccontextmanager
async def crowd(
    stream: str, count: int, urls: Callable[[int], list[str]], *, seed: int = 0, **given: Any
) -> AsyncIterator[list[list[int]]]:
    """So many viewers, each with these addresses: what each has seen of the stream, from its beginning."""
    seen: list[list[int]] = [[] for _ in range(count)]

    async def watch(number: int) -> None:
        async with Viewer(urls(number), seed=seed + number, **given) as viewer:
            async for event in viewer.stream(stream, after=EPOCH - 1):
                seen[number].append(event.seq)

    tasks = [asyncio.create_task(watch(number)) for number in range(count)]
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def each_has(seen: list[list[int]], number: int, *, within: float = 120) -> None:
    """Wait until each has seen so many events."""
    async with asyncio.timeout(within):
        while any(len(got) < number for got in seen):  # noqa: ASYNC110 - for all of them
            await asyncio.sleep(0.05)
