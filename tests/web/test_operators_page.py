"""The operators' page in a real browser: what it shows of roles, viewers and refusals, and what it does."""

import json
import socket
import time
import urllib.request
from urllib.parse import urlsplit

import pytest
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser
from tests.web.pages import (
    CAUGHT_UP,
    DESKTOP,
    ORIGIN,
    PHONE,
    in_all_lights,
    reads,
    say,
    send,
    shows,
    viewers_of,
    visit,
    write,
)

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
#: What the table of edges says of slow viewers.
SLOW = (
    "[...document.querySelectorAll('tr')].find(row => row.cells[0].textContent === 'edge')"
    ".cells[2].textContent"
)
SURE = "dialog[open] .button:not(.plain)"


def test_a_refused_message_says_why_and_is_posted_again_by_an_operator(
    browser: Browser, pipeline: Pipeline
) -> None:
    settings = f"{pipeline.gateway_url}/v1/channels/strict"

    def block(*words: str) -> None:
        assert send(pipeline, "PUT", "/v1/channels/strict", {"blocked": words}) == 202
        eventually("the setting is known", lambda: blocked() == list(words))

    def blocked() -> list[str]:
        with urllib.request.urlopen(settings, timeout=60) as answer:
            words: list[str] = json.load(answer)["settings"].get("blocked", [])
            return words

    block("offside")
    page = visit(browser, pipeline, "strict", **DESKTOP)

    def refused() -> bool:
        # A setting holds from a moment on that is a second ahead.
        write(page, f"that was offside {time.monotonic()}")
        page.until("document.querySelector('.mine:last-of-type .tick')?.matches('.refused, .delivered')")
        return bool(page.evaluate("document.querySelector('.tick.refused') !== null"))

    eventually("a message is refused", refused)
    assert page.evaluate("document.querySelector('.problem').textContent.length") > 20
    in_all_lights(page, "viewers-refused-message", view="chat")
    text = page.evaluate(
        "document.querySelector('.tick.refused').closest('.line').querySelector('.line-text').textContent"
    )
    block()
    ops = browser.open(f"{pipeline.gateway_url}/ops", **DESKTOP)
    ops.until(shows(".wide td", "strict"))
    ops.picture("operators-refused", full=True)

    def accepted() -> bool:
        ops.click(".wide [aria-label^='Retry ']")
        ops.click(SURE)
        ops.until(shows(".said", "posted again"))
        return bool(
            page.evaluate(f"{reads(text)} && document.querySelectorAll('.tick.refused').length === 0")
        )

    eventually("it is accepted", accepted)
    ops.close()
    page.close()


def test_nothing_serious_is_found_by_axe_with_the_operators_and_pictures_are_kept(
    browser: Browser, pipeline: Pipeline
) -> None:
    operators = browser.open(f"{pipeline.gateway_url}/ops", **DESKTOP)
    operators.until("document.querySelectorAll('.role').length >= 4")
    # They have something to look at: how long events take is said of what has come in the last second.
    watching = visit(browser, pipeline, "played")
    assert send(pipeline, "POST", "/v1/demo", {"channel": "played", "seconds": 30}) == 202
    operators.until("!document.querySelector('.charts').textContent.includes('–')")
    for scheme in ("light", "dark"):
        for device, size in (("desktop", DESKTOP), ("phone", PHONE)):
            operators.look(scheme=scheme, **size)
            operators.picture(f"operators-{device}-{scheme}", full=device == "phone")
            assert operators.axe() == [], f"operators {device} {scheme}"
    operators.close()
    watching.close()
    assert browser.complaints() == []


def test_the_operators_page_says_which_role_is_ill_and_reshards_and_drains_after_asking(
    browser: Browser, pipeline: Pipeline
) -> None:
    viewer = visit(browser, pipeline, "moved")
    page = browser.open(f"{pipeline.gateway_url}/ops", **DESKTOP)
    page.until("document.querySelector('.verdict')?.textContent === 'All is well'")
    pipeline.kill("index")
    page.until("document.querySelector('.verdict').textContent === 'index needs a look'")
    in_all_lights(page, "operators-ill")
    pipeline.launch("index")

    page.until(shows("td", "moved"))
    page.click("[aria-label='Reshard moved']")
    page.fill("dialog[open] input", "3")
    page.picture("operators-sure")
    page.click(SURE)
    page.until(shows("td", "v2: 3"))
    say(pipeline, "moved", "after it was spread anew")
    viewer.until(reads("after it was spread anew"))

    page.click("[aria-label='Drain edge']")
    page.click(SURE)
    viewer.until("document.querySelector('.state').textContent !== 'Live, caught up'")
    pipeline.kill("edge")
    pipeline.start("edge")
    viewer.until(CAUGHT_UP)
    page.until("document.querySelector('.verdict').textContent === 'All is well'")
    viewer.close()
    page.close()


def test_the_operators_page_lives_on_the_stream_and_by_http_while_the_edge_is_away(
    browser: Browser, pipeline: Pipeline
) -> None:
    page = browser.open(f"{pipeline.gateway_url}/ops", **DESKTOP)
    page.until(ORIGIN + " === 'Live'")
    seconds = "Number(/\\d+/.exec(document.querySelector('.charts').getAttribute('aria-label'))[0])"
    page.until(f"{seconds} > 15")
    # What was told before the page was opened is in its charts at once.
    another = browser.open(f"{pipeline.gateway_url}/ops")
    another.until(f"{seconds} > 3 + performance.now() / 1000")
    another.close()
    asked = "performance.getEntriesByName(new URL('/v1/ops', location.href).href).length"

    def told_unasked() -> bool:
        before, since = page.evaluate(asked), page.evaluate(seconds)
        page.until(f"{seconds} > {since + 2}")
        return bool(page.evaluate(asked) == before)

    # It asks once where a busy machine leaves the stream silent for four seconds; else it would every second.
    eventually("the stream tells, and nobody is asked", told_unasked)
    pipeline.kill("edge")
    page.until(ORIGIN + " === 'Live figures by HTTP: the edge does not answer.'")
    page.until("document.querySelector('.verdict').textContent === 'edge needs a look'")
    in_all_lights(page, "operators-by-http")
    pipeline.start("edge")
    page.until(ORIGIN + " === 'Live'")
    page.until("document.querySelector('.verdict').textContent === 'All is well'")
    assert browser.complaints() == []
    page.close()


def test_a_viewer_who_reads_nothing_is_shown_as_slow_until_gone(browser: Browser, pipeline: Pipeline) -> None:
    page = browser.open(f"{pipeline.gateway_url}/ops", **DESKTOP)
    page.until(shows("td", "edge"))
    # The page itself is slow for a moment: it takes the figures of three minutes.
    page.until(f"{SLOW} === '0'")
    # What is shown is kept: posting may take longer than the viewer is borne with.
    page.evaluate(f"window.shown = new Set(); setInterval(() => window.shown.add({SLOW}), 50)")
    edge = urlsplit(pipeline.edge_url)
    with socket.socket() as wire:
        # The viewer takes so little that the socket is full soon.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.connect((edge.hostname, edge.port))
        viewer = ClientProtocol(parse_uri(pipeline.edge_url))
        viewer.send_request(viewer.connect())
        wire.sendall(b"".join(viewer.data_to_send()))
        viewer.receive_data(wire.recv(4096))
        viewer.send_text(b'{"op":"subscribe","stream":"chat:slow"}')
        wire.sendall(b"".join(viewer.data_to_send()))
        eventually("the viewer is counted", lambda: viewers_of(pipeline, "chat/slow") == 1)
        for _ in range(4):
            say(pipeline, "slow", *(f"{n} {'x' * 2000}" for n in range(500)))
        page.until("window.shown.has('1')")
    page.until(f"{SLOW} === '0'")
    page.close()
