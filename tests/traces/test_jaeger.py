"""Traces as a real Jaeger has them: from whoever posts, by each way in, to who acknowledges it and the index.

With JAEGER_UI, a directory with Jaeger's own pages built, a picture of one goes to build/screenshots.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import ClientSession
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from consumers.client.viewer import Viewer
from producers.posts import Chat
from producers.producer import Producer
from tests.pipeline import Pipeline, eventually, running
from tests.traces.jaeger import PROGRAM, WHY_NOT, Jaeger, running_jaeger
from tests.web.browser import Browser, chromium
from tests.web.test_javascript import load_build

pytestmark = [pytest.mark.timeout(600), pytest.mark.skipif(PROGRAM is None, reason=WHY_NOT)]
PAGES = os.environ.get("JAEGER_UI", "")
MINE = ("a program", "a press of a button")
#: By each way in: whose span is the first of Touchline's; None: no role sees it before the log has it.
DOORS = {"websocket": "touchline-edge", "sdk": None, "http": "touchline-gateway"}


@pytest.fixture(scope="module")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    options = (f"--query.static-files={PAGES}",) if PAGES else ()
    with running_jaeger(tmp_path_factory.mktemp("jaeger") / "jaeger.log", *options) as running:
        yield running


@pytest.fixture(scope="module")
def traced(
    kafka_servers: str, elasticsearch_url: str, jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs = tmp_path_factory.mktemp("traced")
    # None by chance: what is traced is what somebody asks for.
    given = {"TOUCHLINE_TRACES_SAMPLE": "0.000000001", "TOUCHLINE_TRACES_ENDPOINT": jaeger.endpoint}
    roles = ("stream", "edge", "index", "gateway")
    with running(kafka_servers, elasticsearch_url, logs, *roles, **given) as pipeline:
        yield pipeline


@pytest.mark.parametrize("way", DOORS)
async def test_jaeger_shows_an_event_from_its_sender_to_who_acknowledges_it(
    traced: Pipeline, jaeger: Jaeger, way: str
) -> None:
    provider = TracerProvider(resource=Resource.create({"service.name": MINE[0]}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(jaeger.endpoint)))
    channel = f"shown-in-jaeger-{way}"
    async with Viewer(traced.edge_url, user="ana") as ana, _poster(traced, way) as post:
        async with contextlib.aclosing(ana.stream(f"chat:{channel}", last=1)) as events, asyncio.timeout(120):
            await post(channel, "a first one, for which nothing is warm")
            await anext(events)
            with provider.get_tracer("tests").start_as_current_span(MINE[1]) as mine:
                await post(channel, "offside")
            seq = (await anext(events)).seq
        await ana.request({"op": "ack", "stream": f"chat:{channel}", "seq": seq})
    trace = f"{mine.get_span_context().trace_id:032x}"
    role = DOORS[way]
    door = (role, "publish chat") if role else MINE
    roles = {
        ("touchline-stream", "judge"),
        ("touchline-edge", "deliver"),
        ("touchline-edge", "ack"),
        ("touchline-index", "index"),
    }
    eventually("Jaeger has all of it", lambda: jaeger.spans(trace).keys() >= {MINE, door} | roles)
    spans = jaeger.spans(trace)
    if PAGES and way == "http":
        _picture(f"{jaeger.url}/trace/{trace}", len(spans))
    assert spans[MINE]["parent"] is None
    if door != MINE:
        assert spans[door]["parent"] == spans[MINE]["spanID"]
    assert {spans[one]["parent"] for one in roles} == {spans[door]["spanID"]}, "each is the door's child"


@contextlib.asynccontextmanager
async def _poster(pipeline: Pipeline, way: str) -> AsyncIterator[Callable[[str, str], Awaitable[object]]]:
    """What posts a message to a channel in this way, and takes the current span along."""
    if way == "websocket":
        async with Viewer(pipeline.edge_url) as page:
            yield lambda channel, text: page.publish(f"chat:{channel}", {"text": text})
    elif way == "sdk":
        async with Producer(pipeline.settings) as producer:
            yield lambda channel, text: producer.send(Chat(channel, text))
    else:
        async with ClientSession(pipeline.gateway_url, raise_for_status=True) as http:

            async def post(channel: str, text: str) -> None:
                headers: dict[str, str] = {}
                inject(headers)
                url = f"/v1/streams/chat/{channel}/events"
                await (await http.post(url, json={"data": {"text": text}}, headers=headers)).read()

            yield post


def _picture(url: str, spans: int) -> None:
    executable = chromium()
    assert executable is not None, "a picture needs a Chromium"
    with Browser(load_build().NODE, executable) as browser:
        page = browser.open(url)
        page.look(scheme="light", width=1280, height=430)
        page.until(f"document.querySelectorAll('.span-row').length >= {spans}")
        page.picture("jaeger-trace-light")
