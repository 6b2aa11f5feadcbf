"""A room in the page, in two browsers: members, what is unread, who types, replies, edits, reports, mutes."""

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser, Page
from tests.web.pages import (
    DESKTOP,
    PHONE,
    ask,
    in_all_lights,
    line_of,
    press_in,
    reads,
    shows,
    visit,
    write,
)

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]


def act(page: Page, text: str, what: str) -> None:
    """Open what there is to do with a message, and do it."""
    page.until(reads(text))
    page.until(f"(box => box && (box.open = true))({line_of(text)}?.querySelector('.actions'))")
    press_in(page, line_of(text), f"[data-do={what}]")


def refused(page: Page) -> bool:
    """Whether somebody who is muted may not write: the edge hears of it a moment after who has muted them."""
    write(page, "Still here")
    page.until(f"{line_of('Still here')}.querySelector('.tick').matches('.refused, .delivered')")
    return bool(page.evaluate(shows(".line .problem", "You may not publish")))


def test_a_room_in_two_browsers(browser: Browser, pipeline: Pipeline) -> None:
    room = {"room": "page-1", "name": "Study group", "members": ["ben"]}
    ask(pipeline, "POST", "/v1/rooms", "ana", room)
    ana = visit(browser, pipeline, "room-page-1&user=ana", **DESKTOP)
    ben = visit(browser, pipeline, "room-page-1&user=ben", **PHONE)
    ben.click("[data-name=chat]")
    for page in (ana, ben):
        page.until(shows(".members summary", "Study group · 2 members"))
    write(ben, "Hello")
    act(ana, "Hello", "reply")
    ana.until("document.querySelector('.about') !== null")
    write(ana, "Hello yourself")
    ben.until(shows(".answers", "ben: Hello"))
    ben.until(shows(".answered", "1 reply"))
    act(ben, "Hello", "edit")
    ben.until("document.querySelector('#message').value === 'Hello'")
    write(ben, "Hello all")
    ana.until(shows(".line-text", "Hello all"))
    in_all_lights(ana, "room", view="chat")
    assert ana.axe() == []
    assert ben.axe() == []
    # Who leads the room keeps a message in view, for who is there and who comes; a member does not.
    act(ana, "Hello all (edited)", "pin")
    later = visit(browser, pipeline, "room-page-1&user=ben", **PHONE)
    later.click("[data-name=chat]")
    for page in (ana, ben, later):
        page.until(shows(".pinned-text", "ben Hello all"))
    in_all_lights(ana, "pinned", view="chat")
    assert ana.axe() == []
    assert ben.evaluate("document.querySelectorAll('[data-do=pin], [data-do=unpin]').length") == 0
    ana.click(".pinned [data-do=unpin]")
    for page in (ana, ben, later):
        page.until("document.querySelector('.pinned') === null")
    later.close()
    act(ben, "Hello yourself", "report")
    ben.fill(".reason", "too loud")
    ben.press("Enter")
    ben.until(shows(".actions-said", "It is reported."))
    path = "/v1/streams/chat/room-page-1/reports"
    (report,) = eventually("it is known", lambda: ask(pipeline, "GET", path, "ana")["reports"])
    assert report["reason"] == "too loud"
    # A member does not moderate; the owner does.
    assert ben.evaluate("document.querySelectorAll('[data-do=mute]').length") == 0
    write(ben, "Rude")
    act(ana, "Rude", "mute")
    ana.until(shows(".actions-said", "ben is muted for ten minutes."))
    eventually("ben may not write", lambda: refused(ben))
    act(ana, "Rude", "retract")
    for page in (ana, ben):
        page.until(shows(".gone", "Taken back"))
    again = visit(browser, pipeline, "room-page-1&user=ben", **DESKTOP)
    again.until(shows(".gone", "Taken back"))
    again.until(f"!{reads('Rude')}")
    for page in (ana, ben, again):
        page.close()
    browser.forget_complaints()


def test_what_is_told_of_this_moment(browser: Browser, pipeline: Pipeline) -> None:
    """Unread counts, who is here, who types, receipts and replies: live, in both browsers.

    They are in no other test's rooms: what is unread there would be counted too.
    """
    for number in (2, 3):
        room = {"room": f"page-{number}", "name": f"Room {number}", "members": ["vik"], "receipts": True}
        ask(pipeline, "POST", "/v1/rooms", "uma", room)
    uma = visit(browser, pipeline, "room-page-2&user=uma", **DESKTOP)
    vik = visit(browser, pipeline, "room-page-3&user=vik", **DESKTOP)
    laptop = visit(browser, pipeline, "room-page-3&user=vik", **DESKTOP)
    write(uma, "Hello @vik")
    for page in (vik, laptop):
        page.until(shows("[data-room=page-2] .unread", "@1"))
        page.until(shows(".my-rooms summary .unread", "1"))
    # Whoever looks at it has read it: the badge goes everywhere, and who wrote it is told.
    vik.evaluate("document.querySelector('[data-room=page-2] button').click()")
    vik.until(reads("Hello @vik"))
    for page in (vik, laptop):
        page.until(
            "document.querySelector('[data-room=page-2]') && !document.querySelector('.my-rooms .unread')"
        )
    uma.until(shows(".receipt", "Read by vik"))
    for page in (uma, vik):
        page.until(shows(".members summary", "2 members, 2 here"))
    laptop.until("document.querySelector('.members summary').textContent.endsWith('2 members, 1 here')")

    def seen_to_type() -> bool:
        # It is told every few seconds, and shown for a moment.
        vik.fill("#message", "H")
        vik.fill("#message", "Hi")
        return bool(uma.evaluate(shows(".typing", "vik is typing…")))

    eventually("uma sees that vik types", seen_to_type)
    vik.press("Enter")
    uma.until(reads("Hi"))
    uma.until("document.querySelector('.typing').textContent === ''")
    # Replies are counted as they come and go.
    act(vik, "Hello @vik", "reply")
    vik.until("document.querySelector('.about') !== null")
    write(vik, "An answer")
    uma.until(shows(".answered", "1 reply"))
    in_all_lights(uma, "room-now", view="chat")
    assert uma.axe() == []
    act(vik, "An answer", "retract")
    uma.until("document.querySelector('.answered') === null")
    vik.close()
    uma.until(shows(".members summary", "2 members, 1 here"))
    for page in (uma, laptop):
        page.close()
    browser.forget_complaints()
