"""Files in the viewers' page: dropped, pasted, on their way, shown to everybody, and gone when taken back."""

import json
import urllib.request
from typing import Any

import pytest

from tests.pipeline import Pipeline
from tests.web.browser import Browser, Page
from tests.web.pages import in_all_lights, post, visit

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]

#: A picture that a page has painted, and what to do with it.
PAINTED = """(async () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 400, height: 240 });
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#0b6e4f'; pen.fillRect(0, 0, 400, 240);
  pen.fillStyle = '#f5f8f2'; pen.font = '64px sans-serif'; pen.fillText('GOAL', 110, 140);
  const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
  const transfer = new DataTransfer();
  transfer.items.add(new File([blob], 'goal.png', { type: 'image/png' }));
  %s
})()"""
DROP = PAINTED % (
    "document.querySelector('.composer').dispatchEvent("
    "new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));"
)
PASTE = PAINTED % (
    "document.querySelector('#message').dispatchEvent("
    "new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));"
)
SEND = ".composer button[type=submit]"
READY = f"!document.querySelector('{SEND}').disabled && document.querySelectorAll('.pending li').length === 1"
SHOWN = "[...document.querySelectorAll('.attached .picture img')].some((image) => image.naturalWidth === 400)"


def events(pipeline: Pipeline, channel: str) -> list[dict[str, Any]]:
    url = f"{pipeline.gateway_url}/v1/streams/chat/{channel}/events?after=0"
    with urllib.request.urlopen(url, timeout=60) as answer:
        found: list[dict[str, Any]] = json.load(answer)["events"]
        return found


def sent(page: Page, how: str) -> None:
    page.evaluate(how)
    page.until(READY)
    page.click(SEND)


def test_a_picture_that_is_dropped_is_shown_to_everybody(browser: Browser, pipeline: Pipeline) -> None:
    ana, ben = visit(browser, pipeline, "pictures"), visit(browser, pipeline, "pictures")
    ana.evaluate(DROP)
    ana.until(READY)
    in_all_lights(ana, "attaching", view="chat")
    assert ana.axe() == []
    ana.click(SEND)
    for page in (ana, ben):
        page.until(SHOWN)
    assert ana.evaluate("document.querySelectorAll('.pending li').length") == 0
    in_all_lights(ben, "attached", view="chat")
    assert ben.axe() == []
    assert browser.complaints() == []
    (event,) = events(pipeline, "pictures")
    post(
        pipeline, "chat", "pictures", [{"sender": "ana", "type": "retract", "data": {"target": event["id"]}}]
    )
    for page in (ana, ben):
        page.until("document.querySelectorAll('.attached').length === 0 && !!document.querySelector('.gone')")


def test_what_is_pasted_goes_with_the_words_and_may_be_removed_before(
    browser: Browser, pipeline: Pipeline
) -> None:
    page = visit(browser, pipeline, "pasted")
    page.evaluate(PASTE)
    page.until(READY)
    page.click(".pending button")
    page.until("document.querySelectorAll('.pending li').length === 0")
    assert page.evaluate(f"document.querySelector('{SEND}').disabled")
    page.fill("#message", "look")
    sent(page, PASTE)
    page.until(SHOWN)
    (event,) = events(pipeline, "pasted")
    assert event["data"]["text"] == "look"
    assert len(event["data"]["attachments"]) == 1


def test_what_cannot_be_uploaded_says_so_and_holds_the_message_back(
    browser: Browser, pipeline: Pipeline
) -> None:
    page = visit(browser, pipeline, "refused")
    page.evaluate(DROP.replace("goal.png", "go\\u202eal.png"))
    page.until("!!document.querySelector('.pending .failed .problem')")
    assert "name has 1 to 255 characters" in page.evaluate(
        "document.querySelector('.pending .problem').textContent"
    )
    assert page.evaluate(f"document.querySelector('{SEND}').disabled")
