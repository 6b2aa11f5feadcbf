"""What makes a chat quick to read and to write: turns, days, links, names, emoji, slow mode."""

import json
from typing import Any

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser
from tests.web.pages import DESKTOP, PHONE, ask, in_all_lights, post, reads, send, shows, visit, write

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(300)]


def test_a_chat_reads_as_one(browser: Browser, pipeline: Pipeline) -> None:
    channel = "reads"
    lines = [
        ("ben", "See https://example.com/a?b=1, it says. (Or http://example.org/x)."),
        ("ben", "[a](javascript:alert(1)) ftp://no.example <b>"),
        ("cat", "Ask @ana, or mail x@ana.example"),
    ]
    post(pipeline, "chat", channel, [{"sender": who, "data": {"text": text}} for who, text in lines])
    page = visit(browser, pipeline, f"{channel}&user=ana", **DESKTOP)
    page.until(reads(lines[2][1]))
    links = "[...document.querySelectorAll('.line-text a')].map(a => [a.href, a.rel.includes('noopener')])"
    wanted = [["https://example.com/a?b=1", True], ["http://example.org/x", True]]
    assert page.evaluate(links) == wanted
    # Whoever goes on speaking is not named again; whoever is called sees it.
    assert page.evaluate(
        "[...document.querySelectorAll('.line')].map(line => line.classList.contains('goes-on'))"
    ) == [
        False,
        True,
        False,
    ]
    called = "[...document.querySelectorAll('.calls-me .called.me')].map(name => name.textContent)"
    assert page.evaluate(called) == ["@ana"]
    # A name is completed, and an emoji put where one writes.
    page.fill("#message", "Thanks @ca")
    page.until(shows(".names button", "@cat"))
    page.press("Tab")
    page.until("document.activeElement.value === 'Thanks @cat '")
    page.evaluate("document.querySelector('.emoji summary').click()")
    page.until("document.querySelector('.emoji').open")
    in_all_lights(page, "chat", view="chat")
    assert page.axe() == []
    page.evaluate("document.querySelectorAll('.emoji button')[0].focus()")
    page.press("ArrowRight")
    page.press("Enter")
    page.until("document.activeElement.id === 'message' && !document.querySelector('.emoji').open")
    said = page.evaluate("document.querySelector('#message').value")
    assert said.startswith("Thanks @cat ")
    assert len(said) > len("Thanks @cat ")
    page.press("Enter")
    page.until(reads(said))
    # The last message of one's own is a key away.
    page.until("document.querySelector('.mine .tick.delivered') !== null")
    page.press("ArrowUp")
    page.until(f"document.querySelector('#message').value === {json.dumps(said)}")
    write(page, "Thanks")
    page.until(shows(".line-text", "Thanks (edited)"))
    height = "document.querySelectorAll('.line')[0].offsetHeight"
    before = page.evaluate(height)
    page.click(".density")
    page.until(f"{height} < {before}")
    page.look(scheme="light", width=320, height=640)
    page.until("document.documentElement.scrollWidth === 320")


def test_slow_mode_counts_down(browser: Browser, pipeline: Pipeline) -> None:
    channel = "counts"
    assert send(pipeline, "PUT", f"/v1/channels/{channel}", {"slow_s": 4}) == 202

    def slow() -> Any:
        return ask(pipeline, "GET", f"/v1/streams/chat/{channel}", None)["slow_s"]

    eventually("it is slow", slow)
    page = visit(browser, pipeline, f"{channel}&user=ana", **PHONE)
    page.click("[data-name=chat]")
    page.until(shows(".composer-note", "one message every 4 s"))
    write(page, "One")
    page.until(shows(".slow", "you can write again in"))
    page.fill("#message", "Two")
    assert page.evaluate("document.querySelector('.composer [type=submit]').disabled")
    page.until("!document.querySelector('.composer [type=submit]').disabled")
    write(page, "Two")
    page.until(reads("Two"))
    page.until("document.querySelectorAll('.tick.delivered').length === 2")
