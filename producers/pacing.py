"""Posting at a pace: each event when its time has come, as many at once as are due, and counted."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

from kernel.clock import Clock
from producers.posts import AnyPost
from producers.producer import Producer
from producers.sending.delivery import SomeNotDelivered

_LOT = 1000


@dataclass
class Played:
    """How far it is."""

    delivered: int = 0
    failed: int = 0
    first_failure: str = ""
    position: int = 0


async def play(
    producer: Producer,
    beats: Iterable[tuple[float, AnyPost]],
    clock: Clock,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    on_progress: Callable[[Played], None] = lambda _: None,
) -> Played:
    """Post each (seconds from the start, event) at its time and in order; what is late goes at once."""
    played, began = Played(), clock.monotonic()
    source: Iterator[tuple[float, AnyPost]] = iter(beats)
    held = next(source, None)
    while held is not None:
        due: list[AnyPost] = []
        now = clock.monotonic() - began
        while held is not None and held[0] <= now and len(due) < _LOT:
            due.append(held[1])
            held = next(source, None)
        if due:
            await _post(producer, due, played)
            on_progress(played)
        elif held is not None:
            await sleep(held[0] - now)
    return played


async def _post(producer: Producer, due: list[AnyPost], played: Played) -> None:
    try:
        played.delivered += len(due)
        await producer.send_many(due)
    except SomeNotDelivered as some:
        played.delivered += some.delivered - len(due)
        played.failed += len(some.failures)
        played.first_failure = played.first_failure or str(some.failures[0].error)
    played.position += len(due)
