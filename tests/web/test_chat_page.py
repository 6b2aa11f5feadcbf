"""What makes a chat quick to read and to write: turns, days, links, names, emoji, slow mode."""

import json
from typing import Any

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser
from tests.web.pages import (
    DESKTOP,
    PHONE,
    ask,
    govern,
    in_all_lights,
    post,
    press_in,
    reads,
    say,
    send,
    shows,
    visit,
    write,
)

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]


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
    page.until(f"JSON.stringify({links}) === {json.dumps(json.dumps(wanted, separators=(',', ':')))}")
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
    # So long that a machine that halts for a moment still finds it at work.
    assert send(pipeline, "PUT", f"/v1/channels/{channel}", {"slow_s": 15}) == 202

    def slow() -> Any:
        return ask(pipeline, "GET", f"/v1/streams/chat/{channel}", None)["slow_s"]

    eventually("it is slow", slow)
    page = visit(browser, pipeline, f"{channel}&user=ana", **PHONE)
    page.click("[data-name=chat]")
    page.until(shows(".composer-note", "one message every 15 s"))
    write(page, "One")
    page.until(shows(".slow", "you can write again in"))
    page.fill("#message", "Two")
    assert page.evaluate("document.querySelector('.composer [type=submit]').disabled")
    page.until("!document.querySelector('.composer [type=submit]').disabled")
    write(page, "Two")
    page.until(reads("Two"))
    page.until("document.querySelectorAll('.tick.delivered').length === 2")


def test_what_is_refused_is_written_anew_or_let_go_and_edits_wait_for_nobody(
    browser: Browser, pipeline: Pipeline
) -> None:
    channel = "unhurried"
    govern(pipeline, channel, slow_s=60, blocked=["spoiler"])
    page = visit(browser, pipeline, f"{channel}&user=ana", **DESKTOP)
    last = "[...document.querySelectorAll('.line')].at(-1)"
    write(page, "A spoiler")
    page.until(shows(".line .problem", "does not allow"))
    page.click("[data-do=rewrite]")
    page.until("document.activeElement.id === 'message' && document.activeElement.value === 'A spoiler'")
    assert page.evaluate("document.querySelectorAll('.line').length") == 0
    write(page, "Another spoiler")
    page.until(shows(".line .problem", "does not allow"))
    page.click("[data-do=drop]")
    page.until("document.querySelectorAll('.line').length === 0")
    page.until("document.activeElement.id === 'message'")
    # What was refused does not count for slow mode; what stays does.
    write(page, "No surprise")
    page.until("document.querySelector('.mine .tick.delivered') !== null")
    page.until(shows(".composer-note", "you can write again in"))
    # A change is no message: it does not wait. One that is refused stays in one's hands.
    page.until(f"(box => box && (box.open = true))({last}.querySelector('.actions'))")
    press_in(page, last, "[data-do=edit]")
    page.until("document.querySelector('#message').value === 'No surprise'")
    write(page, "Not one spoiler")
    page.until(shows(".composer .problem", "does not allow"))
    assert page.evaluate("document.querySelector('#message').value") == "Not one spoiler"
    write(page, "Not one surprise")
    page.until(shows(".line-text", "Not one surprise (edited)"))
    page.until("document.querySelector('#message').value === ''")
    # Somebody else takes it back: it is not there for everybody.
    said = ask(pipeline, "GET", f"/v1/streams/chat/{channel}/events?after=0", None)["events"][0]
    event = {"type": "retract", "data": {"target": said["id"]}}
    assert send(pipeline, "POST", f"/v1/streams/chat/{channel}/events", event) == 202
    page.until(shows(".gone", "Taken back by a moderator"))
    assert page.evaluate("document.querySelector('.tick')") is None


def test_home_and_end_lead_to_the_ends_of_a_long_chat(browser: Browser, pipeline: Pipeline) -> None:
    channel = "long-keys"
    texts = [f"Line {n} " + "and more of it " * (n % 40) for n in range(1500)]
    for at in range(0, 1500, 500):
        say(pipeline, channel, *texts[at : at + 500])
    page = visit(browser, pipeline, channel, **DESKTOP)
    begins = "document.querySelector('.beginning').textContent.includes('begins')"
    first = "document.querySelector('.list .line-text')?.textContent.startsWith('Line 0 ')"
    page.until("document.querySelector('.list') !== null")
    page.evaluate("document.querySelector('.list').focus()")
    while not page.evaluate(begins):
        page.press("Home")
        page.evaluate("new Promise(done => setTimeout(done, 100))")
    page.press("Home")
    page.until(f"{first} && document.querySelector('.list').scrollTop === 0")
    page.press("End")
    at_end = "(list => list.scrollHeight - list.scrollTop - list.clientHeight < 2)"
    last = "[...document.querySelectorAll('.line-text')].at(-1).textContent.startsWith('Line 1499')"
    page.until(f"{at_end}(document.querySelector('.list')) && {last}")
    page.until("document.querySelector('.jump') === null")
    page.press("Home")
    page.until(f"{first} && document.querySelector('.list').scrollTop === 0")


def test_the_chat_follows_after_a_long_draft(browser: Browser, pipeline: Pipeline) -> None:
    """What is written grows, is sent and shrinks, while others write: nobody has scrolled."""
    channel = "draft"
    say(pipeline, channel, *(f"Line {n}" for n in range(60)))
    page = visit(browser, pipeline, channel, **DESKTOP)
    page.until(reads("Line 59"))
    at_end = "(list => list.scrollHeight - list.scrollTop - list.clientHeight < 2)"
    drawn = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    for n in range(3):
        page.fill("#message", "\n".join(f"{n} {line}" for line in "abcdefghijkl"))
        say(pipeline, channel, f"Meanwhile {n}")
        page.until(reads(f"Meanwhile {n}"))
        page.evaluate(drawn)
        page.until(f"{at_end}(document.querySelector('.list'))")
        # It is sent, and in the same frame a message comes.
        page.evaluate("document.querySelector('.composer').requestSubmit()")
        say(pipeline, channel, f"The newest {n}")
        page.until(reads(f"The newest {n}"))
        page.evaluate(drawn)
        page.until("document.querySelector('.jump') === null")
        page.until(f"{at_end}(document.querySelector('.list'))")


def test_a_found_message_near_the_end_has_messages_above_it(browser: Browser, pipeline: Pipeline) -> None:
    channel = "near-end"
    say(pipeline, channel, *(f"Line {n}" for n in range(80)))
    page = browser.open(f"{pipeline.gateway_url}/?channel={channel}", width=1440, height=1600)
    page.until(reads("Line 79"))
    events = ask(pipeline, "GET", f"/v1/streams/chat/{channel}/events?limit=200", None)["events"]
    seq = events[-1]["seq"]
    link = json.dumps(f"?stream=chat:{channel}&at={seq}")
    page.evaluate(f"history.pushState(null, '', {link}); dispatchEvent(new PopStateEvent('popstate'))")
    page.until("document.querySelector('.line.found') !== null")
    page.until(
        """(() => {
          const list = document.querySelector('.list').getBoundingClientRect();
          const rows = [...document.querySelectorAll('.list [data-key]')];
          return rows.length > 0 && rows[0].getBoundingClientRect().top <= list.top + 40;
        })()"""
    )
