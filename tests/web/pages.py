"""What tests of the pages do again and again: visit, write, post events, wait for words, keep pictures."""

import json
import time
import urllib.request
from typing import Any
from urllib.error import HTTPError

from control.topic_tables.snapshot import read_channels
from kernel.clock import SystemClock
from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser, Page

CAUGHT_UP = "document.querySelector('.state').textContent === 'Live, caught up'"
#: What the operators' page says of where its figures come from.
ORIGIN = "document.querySelector('.origin')?.textContent"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}


def send(pipeline: Pipeline, method: str, path: str, body: Any) -> int:
    request = urllib.request.Request(
        f"{pipeline.gateway_url}{path}",
        method=method,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        status: int = answer.status
        return status


def ask(pipeline: Pipeline, method: str, path: str, user: str | None, body: Any = None) -> Any:
    """The gateway's answer to a user; None: to the operator.

    What may be asked twice is asked again while the gateway says that others are too slow for it.
    """
    deadline = time.monotonic() + 60
    while True:
        try:
            return _asked(pipeline, method, path, user, body)
        except HTTPError as error:
            if error.code != 503 or method == "POST" or time.monotonic() > deadline:
                raise
            error.close()


def _asked(pipeline: Pipeline, method: str, path: str, user: str | None, body: Any) -> Any:
    request = urllib.request.Request(
        f"{pipeline.gateway_url}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **({"Touchline-User": user} if user else {})},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def govern(pipeline: Pipeline, channel: str, **settings: Any) -> None:
    """Give a channel these settings, and return once they hold: a while after they are known."""
    clock = SystemClock()
    began = clock.now_ms()
    assert send(pipeline, "PUT", f"/v1/channels/{channel}", settings) == 202

    def in_force() -> bool:
        record = read_channels(pipeline.settings, clock).channel(channel)
        return began < record.settings_since < clock.now_ms()

    eventually("the settings hold", in_force)


def post(pipeline: Pipeline, kind: str, channel: str, events: list[dict[str, Any]]) -> None:
    assert send(pipeline, "POST", f"/v1/streams/{kind}/{channel}/events", events) == 202


def say(pipeline: Pipeline, channel: str, *texts: str) -> None:
    post(pipeline, "chat", channel, [{"sender": "ana", "data": {"text": text}} for text in texts])


def visit(browser: Browser, pipeline: Pipeline, channel: str, **options: Any) -> Page:
    page = browser.open(f"{pipeline.gateway_url}/?channel={channel}", **options)
    page.until(CAUGHT_UP)
    return page


def reads(text: str) -> str:
    """JavaScript: whether a chat line has this text."""
    return (
        f"[...document.querySelectorAll('.line-text')].some(line => line.textContent === {json.dumps(text)})"
    )


def shows(selector: str, text: str) -> str:
    """JavaScript: whether something that the selector finds has this text in it."""
    has = f"one.textContent.includes({json.dumps(text)})"
    return f"[...document.querySelectorAll({json.dumps(selector)})].some(one => {has})"


def press_in(page: Page, found: str, selector: str) -> None:
    """Click something in what this JavaScript finds, once both are there: rows are drawn anew by news."""
    page.until(
        f"(() => {{ const one = ({found})?.querySelector({json.dumps(selector)});"
        " if (!one || one.disabled) return false; one.click(); return true; })()"
    )


def line_of(text: str) -> str:
    """JavaScript: the last chat line of this text."""
    return (
        "[...document.querySelectorAll('.line')].findLast("
        f"one => one.querySelector('.line-text')?.textContent === {json.dumps(text)})"
    )


def viewers_of(pipeline: Pipeline, stream: str) -> int:
    with urllib.request.urlopen(f"{pipeline.gateway_url}/v1/streams/{stream}", timeout=60) as answer:
        viewers: int = json.load(answer)["viewers"]
        return viewers


def in_all_lights(page: Page, name: str, *, view: str = "") -> None:
    """Keep a picture of this state by day and by night, on a desk and in a hand (which shows one view)."""
    if view:
        page.evaluate(f"document.querySelector('.view-{view}').click()")
    for scheme in ("light", "dark"):
        for device, size in (("desktop", DESKTOP), ("phone", PHONE)):
            page.look(scheme=scheme, **size)
            page.picture(f"{name}-{device}-{scheme}")
    page.look(scheme="light", **DESKTOP)


def write(page: Page, text: str) -> None:
    page.fill("#message", text)
    page.press("Enter")
