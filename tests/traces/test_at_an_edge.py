"""What an edge remembers of traced events: for how long, and of how many who acknowledge one."""

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Message

from consumers.delivery.records import reader_for
from consumers.delivery.traces import EdgeTraces, open_traces
from kernel.clock import ManualClock
from kernel.process.tracing import TRACEPARENT
from kernel.settings.reading import Settings, Traces
from schemas.registry import codec_for
from tests.pipeline import eventually
from tests.traces.receiver import Receiver, receiving

TRACE, STREAM = "a" * 32, "chat:traced"


@pytest.fixture
def received() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def at(received: Receiver, monkeypatch: pytest.MonkeyPatch) -> tuple[EdgeTraces, ManualClock]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    clock = ManualClock()
    settings = Settings(traces=Traces(sample=1.0, endpoint=received.url))
    traces = open_traces(settings, clock, reader_for(settings))
    assert traces is not None
    return traces, clock


def record(seq: int, *, trace: str = TRACE, flags: str = "01") -> Message:
    """An event as it is fanned out."""
    value = codec_for(Settings(), "fanout").encode(
        {"stream": STREAM, "seq": seq, "server_ts": 1, "type": "message", "body": b"{}"}
        | {"sender": None, "n": None, "target": None}
    )
    headers: list[tuple[str, str | bytes | None]] = [(TRACEPARENT, f"00-{trace}-{'b' * 16}-{flags}".encode())]
    return Message(
        topic="t", partition=0, offset=seq, key=b"k", value=value, headers=headers, timestamp=(1, 1)
    )


def acks(received: Receiver, count: int, traces: EdgeTraces, said: Callable[[], object]) -> None:
    """So many acknowledgements have a span: what is said last is told last."""
    said()
    traces.written([record(1, trace="f" * 32)])
    eventually("the last one is told", lambda: received.of("f" * 32))
    assert len([span for span in received.spans if span.name == "ack"]) == count


def test_an_ack_is_of_each_traced_event_before_it_and_of_each_device_once(
    received: Receiver, at: tuple[EdgeTraces, ManualClock]
) -> None:
    traces, _ = at
    # The third comes by another shard, too; the fourth is not traced.
    read = traces.read([record(1), record(2), record(3), record(3), record(4, flags="00"), record(9)])
    assert [message.offset() for message in read] == [1, 2, 3, 3, 9]

    def say() -> None:
        for _ in range(2):
            traces.acked("ana", "phone", STREAM, 4)
        traces.acked("ana", "phone", "chat:another", 9)

    acks(received, 3, traces, say)


def test_of_a_crowd_the_first_ten_are_told(received: Receiver, at: tuple[EdgeTraces, ManualClock]) -> None:
    traces, _ = at
    traces.read([record(1)])

    def say() -> None:
        for number in range(50):
            traces.acked(f"fan-{number}", "phone", STREAM, 1)

    acks(received, 10, traces, say)


def test_who_comes_after_a_minute_is_not(received: Receiver, at: tuple[EdgeTraces, ManualClock]) -> None:
    traces, clock = at
    traces.read([record(1)])
    clock.advance(61)
    acks(received, 0, traces, lambda: traces.acked("ana", "phone", STREAM, 1))


def test_only_the_latest_thousand_are_remembered(
    received: Receiver, at: tuple[EdgeTraces, ManualClock]
) -> None:
    traces, _ = at
    traces.read([record(seq) for seq in range(1, 1003)])
    acks(received, 0, traces, lambda: traces.acked("ana", "phone", STREAM, 2))
