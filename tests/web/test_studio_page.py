"""The studio: a match run by keys alone, and two producers at once who do not tread on each other."""

import json
import re
from typing import Any

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser, Page
from tests.web.pages import CAUGHT_UP, DESKTOP, PHONE, ask, press_in, shows, visit

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
NARROW = {"width": 320, "height": 640}
SCORE = "[...document.querySelectorAll('.board .goals')].map(one => one.textContent).join('-')"
FOCUSED = "document.activeElement?.id"
MANY = 1000


def enter(browser: Browser, pipeline: Pipeline, channel: str, user: str, **options: Any) -> Page:
    page = browser.open(f"{pipeline.gateway_url}/studio?channel={channel}&user={user}", **options)
    page.until(CAUGHT_UP)
    return page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.press(key)


def events(pipeline: Pipeline, channel: str) -> list[dict[str, Any]]:
    path = f"/v1/streams/broadcast/{channel}/events?limit=100"
    found: list[dict[str, Any]] = ask(pipeline, "GET", path, "ana")["events"]
    return found


def posted(page: Page, words: str) -> None:
    page.until(shows("#outcome.good", words))


def heard(page: Page, script: str) -> None:
    """Let a page that is held hear all until this is so: what it has yet to hear is on its way to it."""

    def holds() -> bool:
        page.release(MANY)
        return bool(page.evaluate(script))

    eventually(script, holds)


def kicked_off(page: Page) -> None:
    press(page, "m")
    page.fill("#home", "Aruba")
    page.fill("#away", "Nova Scotia")
    page.fill("#title", "The final")
    page.press("Enter")
    posted(page, "Posted: Announced")
    press(page, "s", "Enter")
    posted(page, "Posted: Kick off")


def test_a_match_is_run_by_keys_alone(browser: Browser, pipeline: Pipeline) -> None:
    viewer = visit(browser, pipeline, "studio-keys", **DESKTOP)
    page = enter(browser, pipeline, "studio-keys", "ana", **DESKTOP)
    page.until(shows(".seen", "Nothing yet"))
    kicked_off(page)
    viewer.until(shows(".board .team", "Nova Scotia"))
    page.until("/^0:\\d\\d$/.test(document.querySelector('#clock').textContent)")
    # The key chooses, another one says whose it is, and the words go where they belong.
    press(page, "g")
    page.until("document.activeElement?.name === 'side'")
    press(page, "2")
    page.until(f"{FOCUSED} === 'player'")
    page.fill("#player", "D. MacAulay")
    page.until(shows(".preview", "Goal: D. MacAulay"))
    page.until(shows(".preview .becomes", "0–1"))
    page.press("Enter")
    posted(page, "Posted: Goal: D. MacAulay, 0–1")
    viewer.until(shows(".timeline .goal", "D. MacAulay"))
    press(page, "y", "1")
    page.fill("#player", "I. Croes")
    page.press("Enter")
    posted(page, "Yellow card: I. Croes")
    press(page, "b", "1")
    page.fill("#player", "Geerman")
    page.fill("#off", "Arends")
    page.press("Enter")
    posted(page, "Substitution: Geerman. For Arends.")
    press(page, "t")
    page.fill("#text", "Everybody forward now.")
    page.press("Enter")
    posted(page, "Everybody forward now.")
    # What is missing is said, and nothing is posted.
    press(page, "r", "Enter")
    page.until(shows("#outcome.bad", "Say which team"))
    press(page, "Escape")
    page.until(f"{FOCUSED} === 'writing'")
    press(page, "g", "1", "Enter")
    posted(page, "1–1")
    for one in (page, viewer):
        one.until(f"{SCORE} === '1-1'")
    # It was no goal.
    press(page, "u")
    page.until(shows(".undo", "The score becomes 0–1"))
    press(page, "Enter")
    page.until(f"{SCORE} === '0-1'")
    page.until("document.querySelectorAll('.seen .goal').length === 1")
    viewer.until(f"{SCORE} === '0-1'")
    types = " ".join(event["type"] for event in events(pipeline, "studio-keys"))
    assert types == "announced kick_off goal yellow_card substitution note goal retract"
    assert browser.complaints() == []


def test_clock_and_score_are_corrected_and_keys_are_told(browser: Browser, pipeline: Pipeline) -> None:
    viewer = visit(browser, pipeline, "studio-clock", **DESKTOP)
    page = enter(browser, pipeline, "studio-clock", "ana", **DESKTOP)
    kicked_off(page)
    # A clock that was wrong, a score that was wrong.
    press(page, "k")
    page.fill("#set-clock", "46:10")
    page.press("Enter")
    posted(page, "the clock, 46:10")
    page.until("/^(46|45\\+1):[1-5]\\d$/.test(document.querySelector('#clock').textContent)")
    press(page, "y", "2", "Enter")
    posted(page, "Yellow card")
    shown = events(pipeline, "studio-clock")[-1]["data"]["clock"]
    assert re.match(r"45\+1:[1-5]", shown), f"added time as such, and not {shown}"
    press(page, "c")
    page.fill("#score-home", "2")
    page.press("Enter")
    for one in (page, viewer):
        one.until(f"{SCORE} === '2-0'")
    posted(page, "Posted: Score, 2–0")
    # It is held, and goes on.
    press(page, "h")
    posted(page, "held")
    page.until("document.querySelector('#hold').getAttribute('aria-pressed') === 'true'")
    press(page, "h")
    page.until("document.querySelector('#hold').getAttribute('aria-pressed') === 'false'")
    outcome = "document.querySelector('#outcome.good')?.textContent ?? 'held'"
    page.until(f"!({outcome}).includes('held')")
    # It was somebody else.
    page.click(".seen .card [data-edit]")
    page.fill("#player", "I. Croes")
    page.press("Enter")
    posted(page, "told otherwise")
    page.until("document.querySelector('.draft') === null")
    for one in (page, viewer):
        one.until(shows(".timeline .card", "I. Croes"))
        one.until(shows(".timeline .card", "Corrected"))
    press(page, "s", "Enter")
    posted(page, "Half time")
    viewer.until(shows(".board .clock", "Half time"))
    # The keys are told, and can be switched off.
    press(page, "?")
    page.until("document.querySelector('dialog.keys').open")
    page.picture("studio-keys")
    assert page.axe() == []
    page.click(".keys .check input")
    press(page, "Escape", "g")
    assert page.evaluate("document.querySelector('.draft')") is None
    assert browser.complaints() == []


def test_two_at_once(browser: Browser, pipeline: Pipeline) -> None:
    ana = enter(browser, pipeline, "studio-two", "ana", **DESKTOP)
    ben = enter(browser, pipeline, "studio-two", "ben", hold=True, **PHONE)
    for page, other in ((ana, "ben"), (ben, "ana")):
        page.until(shows(".others", other))
    kicked_off(ana)
    heard(ben, f"{shows('.seen .by', 'by ana')} && {shows('.seen', 'Kick off')}")
    # Who writes is seen; what was posted meanwhile too, beside what one writes.
    press(ana, "g", "1")
    ben.until("document.querySelector('.others [data-writes=true]') !== null")
    press(ana, "Escape")
    # Both saw the goal. Ben does not see yet that ana has posted it.
    press(ana, "g", "1")
    ana.fill("#player", "M. Tromp")
    ana.press("Enter")
    posted(ana, "Goal: M. Tromp, 1–0")
    press(ben, "g", "1", "Enter")
    ben.until("document.querySelector('#post').disabled")
    heard(ben, shows("#outcome.good", "ana had posted that already: Goal: M. Tromp, 1–0"))
    # Two goals at once, one of each team: both count, in the order in which they came.
    press(ana, "g", "1")
    ana.press("Enter")
    posted(ana, "2–0")
    press(ben, "g", "2", "Enter")
    ben.until("document.querySelector('#post').disabled")
    ben.release()
    posted(ben, "Posted: Goal, 2–1")
    for page in (ana, ben):
        page.until(f"{SCORE} === '2-1'")
    # Somebody else's post is told while one writes.
    press(ana, "y", "2")
    press(ben, "y", "2")
    ben.fill("#player", "D. MacAulay")
    ben.press("Enter")
    ana.until(shows(".meanwhile", "ben has posted: Yellow card: D. MacAulay"))
    posted(ben, "Yellow card: D. MacAulay")
    for page in (ana, ben):
        page.until("document.querySelectorAll('.seen .card').length === 1")
    # Both take the same one back: it is one retraction.
    for page in (ana, ben):
        press(page, "Escape", "u")
        page.until("document.querySelector('#undo') !== null")
    press(ana, "Enter")
    press(ben, "Enter")
    for page in (ana, ben):
        page.until("document.querySelectorAll('.seen .card').length === 0")
    found = events(pipeline, "studio-two")
    assert [event["data"]["score"] for event in found if event["type"] == "goal"] == [[1, 0], [2, 0], [2, 1]]
    assert [event["type"] for event in found].count("retract") == 1
    # Who goes is seen to go.
    ben.close()
    ana.until(shows(".others", "Nobody else"))
    assert browser.complaints() == []


def test_what_is_scheduled_is_posted_though_the_page_is_closed(browser: Browser, pipeline: Pipeline) -> None:
    ana = enter(browser, pipeline, "studio-later", "ana", **DESKTOP)
    ben = enter(browser, pipeline, "studio-later", "ben", **PHONE)
    for words, when in (("Back in a moment.", "+6s"), ("Never said.", "+1h"), ("Said early.", "+2h")):
        press(ana, "t")
        ana.fill("#text", words)
        ana.fill("#when", when)
        ana.press("Enter")
        posted(ana, "Scheduled for")
    press(ana, "g")
    ana.until("document.activeElement?.name === 'side'")
    assert ana.evaluate("document.querySelector('#when')") is None, "nobody knows the score of then"
    ana.close()
    ben.until("document.querySelectorAll('.scheduled li').length >= 2")
    cancel = "[...document.querySelectorAll('.scheduled li')].find(one => one.textContent.includes('{}'))"
    press_in(ben, cancel.format("Never said"), "[data-cancel]")
    ben.until("!document.querySelector('.scheduled')?.textContent.includes('Never said')")
    press_in(ben, cancel.format("Said early"), "[data-now]")
    ben.until(shows(".seen .item", "Said early."))
    ben.until(shows(".seen .item", "Back in a moment."))
    ben.until("document.querySelector('.scheduled') === null")
    found = events(pipeline, "studio-later")
    assert {(event["data"]["text"], event["sender"]) for event in found} == {
        ("Back in a moment.", "ana"),
        ("Said early.", "ben"),
    }
    assert browser.complaints() == []


def test_it_fits_every_screen_and_every_light(browser: Browser, pipeline: Pipeline) -> None:
    page = enter(browser, pipeline, "studio-looks", "ana", **DESKTOP)
    other = enter(browser, pipeline, "studio-looks", "ben", **PHONE)
    kicked_off(page)
    press(other, "y", "2")
    other.fill("#player", "I. Croes")
    other.press("Enter")
    posted(other, "Yellow card")
    press(page, "g", "1")
    page.fill("#player", "M. Tromp")
    page.fill("#text", "A low drive from the edge of the box, in off the post.")
    page.press("Enter")
    posted(page, "Goal")
    press(page, "t")
    page.fill("#text", "Gates open for the second half in five minutes.")
    page.fill("#when", "+5m")
    page.press("Enter")
    posted(page, "Scheduled")
    press(page, "b", "2")
    page.fill("#player", "Geerman")
    page.fill("#off", "Arends")
    other.until(shows(".scheduled", "Gates open"))
    press(other, "t")
    other.fill("#text", "Nerves on both sides.")
    page.until("document.querySelector('.others [data-writes=true]') !== null")
    for scheme in ("light", "dark"):
        for device, size in (("desktop", DESKTOP), ("phone", PHONE), ("narrow", NARROW)):
            page.look(scheme=scheme, **size)
            page.picture(f"studio-{device}-{scheme}", full=device != "desktop")
            assert page.axe() == [], f"studio {device} {scheme}"
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    for sport, action in (("basketball", "three_points"), ("rugby", "try")):
        fresh = enter(browser, pipeline, f"studio-{sport}", "ana", **DESKTOP)
        fresh.evaluate(
            f"(() => {{ const one = document.querySelector('#sport'); one.value = {json.dumps(sport)};"
            " one.dispatchEvent(new Event('change', { bubbles: true })); })()"
        )
        press(fresh, "s", "Enter")
        fresh.until(f"document.querySelector('[data-act={action}]') !== null")
        posted(fresh, "Posted")
        fresh.click(f"[data-act={action}]")
        press(fresh, "1", "Enter")
        fresh.until(f"{SCORE} === '{3 if sport == 'basketball' else 5}-0'")
        if sport == "basketball":
            fresh.picture("studio-basketball")
    assert browser.complaints() == []
