"""Traces of single events, through every role, as a receiver of OTLP gets them."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from opentelemetry.sdk.trace import TracerProvider

from consumers.client.viewer import Viewer
from kernel.clock import ManualClock
from kernel.log.positions import Kind
from kernel.log.records import Headers
from kernel.log.topics import topic_names
from kernel.process.tracing import TRACEPARENT, open_tracing, traced
from kernel.settings.reading import Settings, Traces
from producers.posts import Chat
from producers.producer import Producer
from tests.pipeline import Pipeline, eventually, running
from tests.traces.receiver import Receiver, receiving

pytestmark = [pytest.mark.timeout(600)]
ROLES = {
    ("touchline-stream", "judge"),
    ("touchline-edge", "deliver"),
    ("touchline-index", "index"),
}


@pytest.fixture(scope="module")
def received() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def traced_pipeline(
    kafka_servers: str, elasticsearch_url: str, received: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("traces")
    given = {
        # None by chance: what is traced is what somebody asks for.
        "TOUCHLINE_TRACES_SAMPLE": "0.000000001",
        "TOUCHLINE_TRACES_ENDPOINT": received.url,
        "TOUCHLINE_INDEXER_REFRESH_MS": "100",
    }
    roles = ("stream", "edge", "index", "gateway")
    with running(kafka_servers, elasticsearch_url, logs, *roles, **given) as pipeline:
        yield pipeline


async def test_a_trace_that_a_client_began_goes_through_all_roles(
    traced_pipeline: Pipeline, received: Receiver
) -> None:
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    url = f"{traced_pipeline.gateway_url}/v1/streams/chat/traced/events"
    async with ClientSession() as http:
        for flags, given in (("01", trace), ("00", secrets.token_hex(16))):
            headers = {TRACEPARENT: f"00-{given}-{span}-{flags}"}
            async with http.post(url, json={"data": {"text": "goal"}}, headers=headers) as answer:
                assert answer.status == 202
    wanted = ROLES | {("touchline-gateway", "publish chat")}
    eventually("all roles have told of it", lambda: received.of(trace).keys() >= wanted)
    spans = received.of(trace)
    door = spans["touchline-gateway", "publish chat"]
    assert door.parent == span
    assert {spans[one].parent for one in ROLES} == {door.id}, "each role's work is the door's child"
    assert all(0 <= one.ms < 60_000 for one in spans.values())

    def linked() -> bool:
        batches = [one for one in list(received.spans) if one.name == "index batch"]
        return any(trace in one.links for one in batches)

    eventually("the batch is linked to its events", linked)
    assert {one.trace for one in received.spans if one.service == "touchline-gateway"} == {trace}, (
        "what was not chosen is not traced"
    )


async def test_what_is_posted_by_a_websocket_is_traced_up_to_who_acknowledges_it(
    traced_pipeline: Pipeline, received: Receiver
) -> None:
    tracer, stream = TracerProvider().get_tracer("a page"), "chat:traced-at-the-edge"
    async with Viewer(traced_pipeline.edge_url, user="ana") as ana, Viewer(traced_pipeline.edge_url) as page:
        with tracer.start_as_current_span("a press of a button") as mine:
            await page.publish(stream, {"text": "offside"})
        async with asyncio.timeout(60), contextlib.aclosing(ana.stream(stream, last=1)) as events:
            seq = (await anext(events)).seq
        for _ in range(2):
            await ana.request({"op": "ack", "stream": stream, "seq": seq})
    trace = f"{mine.get_span_context().trace_id:032x}"
    wanted = ROLES | {("touchline-edge", "publish chat"), ("touchline-edge", "ack")}
    eventually("all roles have told of it", lambda: received.of(trace).keys() >= wanted)
    spans = received.of(trace)
    door = spans["touchline-edge", "publish chat"]
    assert door.parent == f"{mine.get_span_context().span_id:016x}"
    assert {spans[one].parent for one in wanted - {("touchline-edge", "publish chat")}} == {door.id}
    acks = [one for one in received.spans if one.trace == trace and one.name == "ack"]
    assert len(acks) == 1, "a device has an event once"


async def test_the_span_of_a_program_that_posts_is_gone_on_with(
    traced_pipeline: Pipeline, received: Receiver
) -> None:
    tracer = TracerProvider().get_tracer("a program")
    async with Producer(traced_pipeline.settings) as producer:
        with tracer.start_as_current_span("a goal") as mine:
            await producer.send(Chat("traced", "from a program"))
    trace = f"{mine.get_span_context().trace_id:032x}"
    eventually("all roles have told of it", lambda: received.of(trace).keys() >= ROLES)
    assert {one.parent for one in received.of(trace).values()} == {f"{mine.get_span_context().span_id:016x}"}
    assert topic_names(traced_pipeline.settings).ingest[Kind.CHAT]


@pytest.mark.parametrize(
    ("value", "is_traced"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", True),
        (f"00-{'a' * 32}-{'b' * 16}-03", True),
        (f"00-{'a' * 32}-{'b' * 16}-00", False),
        (f"00-{'0' * 32}-{'b' * 16}-01", False),
        (f"00-{'a' * 32}-{'0' * 16}-01", False),
        (f"01-{'a' * 32}-{'b' * 16}-01", False),
        ("", False),
        ("x" * 100_000, False),
    ],
)
def test_only_what_is_a_traceparent_and_chosen_is_traced(value: str, is_traced: bool) -> None:
    headers: Headers = [("touchline-via", b"gateway"), (TRACEPARENT, value.encode())]
    assert (traced(headers) is not None) == is_traced
    assert traced(None) is None


def test_nothing_is_traced_unless_it_is_asked_for_and_never_more_than_so_many_a_second() -> None:
    clock = ManualClock()
    assert open_tracing(Settings(), "gateway", clock) is None
    with receiving() as receiver:
        traces = Traces(sample=1.0, endpoint=receiver.url, max_per_s=3)
        tracing = open_tracing(Settings(traces=traces), "gateway", clock)
        assert tracing is not None
        spans = [tracing.begin("publish", None, trusted=False) for _ in range(10)]
        assert [span is not None for span in spans] == [True] * 3 + [False] * 7
        clock.advance(1.0)
        parent = f"00-{'a' * 32}-{'b' * 16}-00"
        assert tracing.begin("publish", parent, trusted=True) is None, "who is trusted decides"
        assert tracing.begin("publish", parent, trusted=False) is not None, "of others chance does"
        for span in spans[:3]:
            assert span is not None
            span.end()
        began = time.monotonic()
        eventually("they are told", lambda: len(receiver.spans) == 3)
        assert time.monotonic() - began < 60
