"""The sink when there is no room: it waits, in the middle of a slice too."""

import asyncio

import pytest

from kernel.clock import SystemClock
from kernel.log.records import Write
from streams.transport.sink import Sink

NOBODY = {"bootstrap.servers": "127.0.0.1:9", "log_level": 0}


def sink_of(most: int = 100_000) -> Sink:
    return Sink(NOBODY, linger_ms=1, clock=SystemClock(), max_queued=most)


async def waits(sink: Sink, writes: list[Write]) -> None:
    await sink.ready()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sink.put(writes, lambda: True), 3)


async def test_more_bytes_than_there_is_room_for_wait() -> None:
    sink, value = sink_of(), bytes(1_000_000)
    await waits(sink, [Write("t", value, b"k", 0)] * 300)
    assert 100 < sink.queued < 150, "as much as there was room for is under way"


async def test_more_outputs_than_may_be_under_way_wait() -> None:
    sink = sink_of(2000)
    await waits(sink, [Write("t", b"v", b"k", 0)] * 10_000)
    assert sink.queued <= 4000


async def test_what_belongs_to_no_slice_waits_too_and_ends_nothing() -> None:
    sink, value = sink_of(), bytes(1_000_000)
    sink.write_apart([Write("t", value, b"k", 0)] * 300)
    sink.write_apart([Write("t", b"last", b"k", 0)])
    assert 100 < sink.queued < 150


async def test_what_does_not_count_any_more_after_a_wait_is_left() -> None:
    sink = sink_of()
    await sink.ready()
    assert not await asyncio.wait_for(sink.put([Write("t", b"v", b"k", 0)] * 2500, lambda: False), 60)
    assert sink.queued == 1000
