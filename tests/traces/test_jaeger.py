"""A trace as a real Jaeger has it: posted by a WebSocket, up to who acknowledges it.

With JAEGER_UI, a directory with Jaeger's own pages built, a picture of it goes to build/screenshots.
"""

import asyncio
import contextlib
import os
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from consumers.client.viewer import Viewer
from tests.pipeline import eventually, running
from tests.traces.jaeger import PROGRAM, WHY_NOT, running_jaeger
from tests.web.browser import Browser, chromium
from tests.web.test_javascript import load_build

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(PROGRAM is None, reason=WHY_NOT)]


async def test_jaeger_shows_an_event_from_its_sender_to_who_acknowledges_it(
    kafka_servers: str, elasticsearch_url: str, tmp_path: Path
) -> None:
    tracer, stream = TracerProvider().get_tracer("a page"), "chat:shown-in-jaeger"
    pages = os.environ.get("JAEGER_UI", "")
    options = (f"--query.static-files={pages}",) if pages else ()
    with running_jaeger(tmp_path / "jaeger.log", *options) as jaeger:
        given = {"TOUCHLINE_TRACES_SAMPLE": "0.000000001", "TOUCHLINE_TRACES_ENDPOINT": jaeger.endpoint}
        with running(kafka_servers, elasticsearch_url, tmp_path, "stream", "edge", "index", **given) as it:
            async with Viewer(it.edge_url, user="ana") as ana, Viewer(it.edge_url) as page:
                with tracer.start_as_current_span("a press of a button") as mine:
                    await page.publish(stream, {"text": "offside"})
                async with asyncio.timeout(30), contextlib.aclosing(ana.stream(stream, last=1)) as events:
                    seq = (await anext(events)).seq
                await ana.request({"op": "ack", "stream": stream, "seq": seq})
            about = mine.get_span_context()
            wanted = {
                ("touchline-edge", "publish chat"),
                ("touchline-stream", "judge"),
                ("touchline-edge", "deliver"),
                ("touchline-edge", "ack"),
                ("touchline-index", "index"),
            }
            trace = f"{about.trace_id:032x}"
            eventually("Jaeger has all of it", lambda: jaeger.spans(trace).keys() >= wanted)
            spans = jaeger.spans(trace)
            if pages:
                _picture(f"{jaeger.url}/trace/{trace}")
    door = spans["touchline-edge", "publish chat"]
    assert door["parent"] == f"{about.span_id:016x}"
    children = wanted - {("touchline-edge", "publish chat")}
    assert {spans[one]["parent"] for one in children} == {door["spanID"]}


def _picture(url: str) -> None:
    executable = chromium()
    assert executable is not None, "a picture needs a Chromium"
    with Browser(load_build().NODE, executable) as browser:
        page = browser.open(url)
        page.look(scheme="light", width=1280, height=420)
        page.until("document.querySelectorAll('.span-row').length >= 5")
        page.picture("jaeger-trace-light")
