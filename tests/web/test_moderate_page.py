"""The moderator's desk in a real browser: alone, two at once, by keyboard, on every screen."""

import json

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
    say,
    send,
    shows,
    visit,
    write,
)

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]


def desk(browser: Browser, pipeline: Pipeline, channel: str, **options: int) -> Page:
    page = browser.open(f"{pipeline.gateway_url}/moderate?channel={channel}", **(options or DESKTOP))
    page.until("document.querySelector('.state').textContent === 'Live, caught up'")
    return page


#: What waits to be taken back waits until it is undone, however long a busy machine takes to do that.
PATIENT = (
    "(() => { const real = window.setTimeout; window.hasten = () => { window.setTimeout = real; };"
    " window.setTimeout = (work, ms, ...more) => real(work, ms === 4000 ? 600_000 : ms, ...more); })()"
)


def report(pipeline: Pipeline, channel: str, text: str, *users: str) -> str:
    """Reports the message of this text, and returns its id."""
    path = f"/v1/streams/chat/{channel}/events?limit=200"

    def found() -> list[str]:
        events = ask(pipeline, "GET", path, "bob")["events"]
        return [event["id"] for event in events if event["data"].get("text") == text]

    (id_,) = eventually(f"{text} is there", found)
    for user in users:
        body = {"target": id_, "reason": f"{user} minds"}
        ask(pipeline, "POST", f"/v1/streams/chat/{channel}/reports", user, body)
    return str(id_)


def row(pane: str, text: str) -> str:
    """JavaScript: the message of this text in a pane."""
    return (
        f"[...document.querySelectorAll('.pane-{pane} .message')]"
        f".find(one => one.textContent.includes({json.dumps(text)}))"
    )


def do(page: Page, pane: str, text: str, what: str) -> None:
    press_in(page, row(pane, text), f"[data-do={what}]")


def show(page: Page, view: str) -> None:
    page.evaluate(f"document.querySelector('[data-name={view}]').click()")


def test_two_work_through_a_queue(browser: Browser, pipeline: Pipeline) -> None:
    """What one has done the other one sees; undone, it is back for both; and viewers feel it."""
    channel = "desk-1"
    say(pipeline, channel, *(f"Message {n}" for n in range(30)), "Rude words", "Spam spam", "Only unlucky")
    viewer = visit(browser, pipeline, channel, **PHONE)
    viewer.click("[data-name=chat]")
    viewer.until(reads("Rude words"))
    for text, users in (("Only unlucky", "c"), ("Spam spam", "cd"), ("Rude words", "cde")):
        report(pipeline, channel, text, *users)
    one, two = desk(browser, pipeline, channel), desk(browser, pipeline, channel, **PHONE)
    for page in (one, two):
        page.until("document.querySelectorAll('.pane-queue .message').length === 3")
    one.until(f"{row('queue', 'Rude words')}.querySelectorAll('.reasons li').length === 3")
    in_all_lights(one, "desk")
    one.look(scheme="light", width=320, height=640)
    assert one.evaluate("document.documentElement.scrollWidth") == 320
    one.look(scheme="light", **DESKTOP)
    assert one.axe() == []
    assert two.axe() == []
    # Left alone: it is gone for both, and back when it is undone.
    do(one, "queue", "Only unlucky", "done")
    for page in (one, two):
        page.until("document.querySelectorAll('.pane-queue .message').length === 2")
    one.click("[data-do=undo]")
    for page in (one, two):
        page.until("document.querySelectorAll('.pane-queue .message').length === 3")
    # Taken back: undone in time nobody has seen it; then it is gone for viewers, and its case is closed.
    two.evaluate(PATIENT)
    do(two, "queue", "Rude words", "retract")
    two.until(shows(".message.going", "Rude words"))
    two.click("[data-do=undo]")
    two.until("document.querySelectorAll('.going').length === 0")
    two.evaluate("window.hasten()")
    assert viewer.evaluate(reads("Rude words"))
    do(two, "queue", "Rude words", "retract")
    viewer.until(shows(".gone", "Taken back by a moderator"))
    for page in (one, two):
        page.until("document.querySelectorAll('.pane-queue .message').length === 2")
    # Several at once, of the queue and of the chat.
    for pane, text in (("queue", "Spam spam"), ("live", "Message 29"), ("live", "Message 28")):
        press_in(one, row(pane, text), "input")
    one.until(shows(".bulk", "3 messages chosen"))
    one.picture("desk-bulk")
    one.click("[data-bulk=retract]")
    for text in ("Spam spam", "Message 29", "Message 28"):
        viewer.until(f"!{reads(text)}")
    one.until("document.querySelectorAll('.pane-queue .message').length === 1")
    # Who did what is told to both.
    show(two, "log")
    two.until(shows(".told li", "An operator took a message back"))
    two.until(shows(".told li", "c reported a message"))
    in_all_lights(one, "desk-log", view="log")
    assert one.axe() == []


def test_a_user_is_muted_for_a_time_banned_and_let_back(browser: Browser, pipeline: Pipeline) -> None:
    channel = "desk-2"
    eve = visit(browser, pipeline, f"{channel}&user=eve", **DESKTOP)
    for n in range(3):
        write(eve, f"I am loud {n}")
        eve.until(reads(f"I am loud {n}"))
    page = desk(browser, pipeline, channel)
    do(page, "live", "I am loud 1", "person")
    page.until("document.querySelector('.person h3').textContent === 'eve'")
    page.until("document.querySelectorAll('.person .message').length === 3")
    in_all_lights(page, "desk-user", view="people")
    assert page.axe() == []
    page.evaluate(
        "(() => { const s = document.querySelector('.bar select'); s.value = '1h';"
        " s.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )
    page.click(".person [data-do=mute]")
    page.until(shows(".person .quiet", "Muted until"))

    def says(text: str, script: str) -> None:
        """Say it until this holds: the edge hears of what a moderator does a moment after the moderator."""

        def said() -> bool:
            write(eve, text)
            eve.until(f"{line_of(text)}.querySelector('.tick').matches('.refused, .delivered')")
            return bool(eve.evaluate(script))

        eventually(f"{text}: {script}", said)

    says("Hear me", shows(".line .problem", "You may not publish"))
    page.click("[data-do=undo]")
    page.until(shows(".person .quiet", "May read and write"))
    says("Here again", f"{line_of('Here again')}.querySelector('.tick').matches('.delivered')")
    page.until(f"{row('live', 'Here again')} !== undefined")
    page.click(".person [data-do=ban]")
    eve.until("document.querySelector('.pane-chat > .notice') !== null")
    page.until(shows(".sanctioned li", "Banned until"))
    page.click(".person [data-do=all]")
    page.until("document.querySelectorAll('.person .message-text.gone').length >= 3")
    page.click(".sanctioned .button")
    page.until(shows(".sanctioned ~ *, .pane-people .card", "Nobody is."))
    browser.forget_complaints()


def test_a_message_is_pinned_and_another_and_none(browser: Browser, pipeline: Pipeline) -> None:
    """By button and key, with the way back; viewers who are there or come see it; what is taken back goes."""
    channel = "desk-pins"
    say(pipeline, channel, "The rules", "The news")
    page, viewer = desk(browser, pipeline, channel), visit(browser, pipeline, channel, **DESKTOP)
    do(page, "live", "The rules", "pin")
    late = visit(browser, pipeline, channel, **PHONE)
    late.click("[data-name=chat]")
    for one in (viewer, late):
        one.until(shows(".pinned-text", "The rules"))
    page.until(f"{row('live', 'The rules')}.textContent.includes('pinned')")
    page.until(f"({row('live', 'The news')}.focus(), document.activeElement === {row('live', 'The news')})")
    page.press("i")
    viewer.until(shows(".pinned-text", "The news"))
    late.until(shows(".pinned-text", "The news"))
    late.picture("pinned-phone")
    late.look(scheme="light", width=320, height=640)
    assert late.evaluate("document.documentElement.scrollWidth") == 320
    assert page.axe() == []
    assert late.axe() == []
    assert late.evaluate("document.querySelectorAll('.pinned [data-do=unpin]').length") == 0
    page.click("[data-do=undo]")
    viewer.until(shows(".pinned-text", "The rules"))
    show(page, "log")
    page.until(shows(".told li", "An operator pinned a message"))
    show(page, "live")
    page.until(f"{row('live', 'The rules')}.textContent.includes('pinned')")
    do(page, "live", "The rules", "retract")
    for one in (viewer, late):
        one.until("document.querySelector('.pinned') === null")


def test_slow_mode_and_words_are_tried_set_and_undone(browser: Browser, pipeline: Pipeline) -> None:
    channel = "desk-3"
    say(pipeline, channel, "What a goal", "Buy cheap tickets", "no spoilers please", "Spoilers!")
    page = desk(browser, pipeline, channel)
    show(page, "channel")
    page.until("document.querySelector('#words') !== null")
    page.until(f"{row('live', 'Spoilers!')} !== undefined")
    page.fill("#words", "spoilers\ncheap tickets")
    page.fill("#try", "No SPOILERS here")
    page.until(shows(".verdict", "Refused, for “spoilers”"))
    page.until(shows(".tried .quiet", "3 of the last 4 messages would have been refused"))
    page.fill("#try", "What a save")
    page.until(shows(".verdict", "Let in"))
    in_all_lights(page, "desk-channel", view="channel")
    assert page.axe() == []
    page.click(".pane-channel [type=submit]")
    page.until(shows(".latest", "2 words are blocked"))
    page.click("[data-slow='30']")
    page.until("document.querySelector('[data-slow=\"30\"]').getAttribute('aria-pressed') === 'true'")

    def settings() -> dict[str, object]:
        found: dict[str, object] = ask(pipeline, "GET", f"/v1/channels/{channel}", None)["settings"]
        return found

    page.until("document.querySelector('[data-do=undo]') !== null")
    both = (30, ["spoilers", "cheap tickets"])
    eventually("both are set", lambda: (settings()["slow_s"], settings()["blocked"]) == both or None)
    # Both are taken back by the keyboard, the latest first.
    page.evaluate("document.querySelector('.pane-channel .scroll').focus()")
    page.press("Control+z")
    page.until(shows(".latest", "undone"))
    page.press("Control+z")
    eventually("neither is", lambda: (settings()["slow_s"], settings()["blocked"]) == (None, []) or None)


def test_by_keyboard_while_the_chat_goes_on(browser: Browser, pipeline: Pipeline) -> None:
    """Held still, nothing moves under one's hands; letters do what buttons do, where a message has the
    focus."""
    channel = "desk-4"
    say(pipeline, channel, *(f"Line {n}" for n in range(40)))
    report(pipeline, channel, "Line 3", "c")
    report(pipeline, channel, "Line 5", "c")
    page = desk(browser, pipeline, channel)
    page.until("document.querySelectorAll('.pane-queue .message').length === 2")
    page.until(f"{row('live', 'Line 39')} !== undefined")
    page.evaluate("document.querySelector('.pane-live .list').focus()")
    page.press("k")
    focused = "document.activeElement.querySelector('.message-text')?.textContent"
    page.until(f"{focused} === 'Line 39'")
    page.press("k")
    page.until(f"{focused} === 'Line 38'")
    page.press("ArrowUp")
    page.until(f"{focused} === 'Line 37'")
    page.press("h")
    page.until(shows(".pane-live [role=status]", "Held still"))
    say(pipeline, channel, "Later 1", "Later 2")
    page.until(shows(".pane-live [role=status]", "2 new messages wait"))
    assert page.evaluate(f"{row('live', 'Later 1')} === undefined")
    assert page.evaluate(focused) == "Line 37"
    page.evaluate(PATIENT)
    page.press("x")
    page.press("r")
    page.until(shows(".message.going", "Line 37"))
    page.press("u")
    page.until("document.querySelectorAll('.going').length === 0")
    page.evaluate("window.hasten()")
    page.press("h")
    page.until(f"{row('live', 'Later 2')} !== undefined")
    # Of the queue: to leave one leads to the next.
    page.evaluate("document.querySelector('.pane-queue .cases').focus()")
    page.press("j")
    page.until("document.activeElement.closest('.pane-queue .message') !== null")
    page.press("d")
    page.until("document.querySelectorAll('.pane-queue .message').length === 1")
    page.until("document.activeElement.closest('.pane-queue .message') !== null")
    # What waits to be taken back is, also where one goes away.
    page.press("r")
    page.until(shows(".message.going", "Line"))
    # To another page: a browser that is closed may take its last request along.
    page.evaluate("location.assign('about:blank')")
    path = f"/v1/streams/chat/{channel}/events?limit=200"

    def taken_back() -> bool:
        return any(event["type"] == "retract" for event in ask(pipeline, "GET", path, None)["events"])

    eventually("it is taken back", taken_back)
    viewer = visit(browser, pipeline, channel, **DESKTOP)
    viewer.until("!" + reads("Line 3") + " || !" + reads("Line 5"))


def test_who_leads_a_room_has_a_desk_and_others_have_none(browser: Browser, pipeline: Pipeline) -> None:
    room = {"room": "desk", "name": "Desk", "members": ["ben"]}
    ask(pipeline, "POST", "/v1/rooms", "ana", room)
    send(pipeline, "POST", "/v1/streams/chat/room-desk/events", {"sender": "ben", "data": {"text": "Hm"}})
    ana = desk(browser, pipeline, "room-desk&user=ana")
    do(ana, "live", "Hm", "retract")
    ana.until(shows(".message-text.gone", "Taken back"))
    show(ana, "channel")
    ana.until(shows(".pane-channel", "Set by who administers the channel"))
    ben = desk(browser, pipeline, "room-desk&user=ben", **PHONE)
    ben.until(shows(".trouble", "Only the owner and the moderators"))
