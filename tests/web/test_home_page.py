"""The page of all that is on, in a real browser: live, soon and lately, and a search over all of it."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser, Page
from tests.web.pages import DESKTOP, PHONE, ask, post, say, send, shows, visit

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
SMALL = {"width": 320, "height": 640}
#: Nothing is wider than the page.
FITS = "document.documentElement.scrollWidth <= innerWidth"


def home(browser: Browser, pipeline: Pipeline, query: str = "", /, **options: int) -> Page:
    page = browser.open(f"{pipeline.gateway_url}/{query}", **options)
    page.until("document.querySelector('#q') !== null")
    return page


def in_all_sizes(page: Page, name: str) -> None:
    """Pictures, and what axe says, by day and by night, on three sizes."""
    for scheme in ("light", "dark"):
        for device, size in (("desktop", DESKTOP), ("phone", PHONE), ("small", SMALL)):
            page.look(scheme=scheme, **size)
            page.picture(f"{name}-{device}-{scheme}")
            assert page.evaluate(FITS), f"{name} {device} is wider than its window"
            assert page.axe() == [], f"{name} {device} {scheme}"
    page.look(scheme="light", **DESKTOP)


def test_what_is_live_soon_and_lately_is_listed_and_leads_there(browser: Browser, pipeline: Pipeline) -> None:
    kick_off = {"home": "Oranjestad", "away": "Lunenburg", "score": [2, 1], "minute": 63, "title": "The cup"}
    post(pipeline, "broadcast", "cup", [{"type": "goal", "data": kick_off}])
    begins = datetime.now(UTC) + timedelta(hours=2, minutes=30)
    evening = {"title": "Evening game", "starts_at": begins.isoformat()}
    off = [{"type": "scheduled", "data": {**evening, "title": "Off"}}, {"type": "cancelled", "data": {}}]
    post(pipeline, "broadcast", "evening", [{"type": "scheduled", "data": evening}])
    post(pipeline, "broadcast", "called-off", off)
    post(pipeline, "broadcast", "friendly", [{"type": "kick_off", "data": {}}])
    watcher = visit(browser, pipeline, "cup", **DESKTOP)
    page = home(browser, pipeline, "?user=ana", **DESKTOP)
    page.until(shows(".live [data-channel=cup]", "Oranjestad"))
    page.until(shows(".live [data-channel=cup]", "1 viewer"))
    page.until(
        "document.querySelector('[data-channel=cup] .card-score').textContent === 'Oranjestad 2Lunenburg 1'"
    )
    page.until(shows(".soon [data-channel=evening]", "in 2 hr"))
    past = "/v1/streams/broadcast/called-off/events?after=0"
    eventually("it is called off", lambda: len(ask(pipeline, "GET", past, None)["events"]) == 2)
    page.until("!" + shows(".soon", "Off"))
    # Who watches most comes first, after the channel that is the page's own; and names, where that is wanted.
    page.until("document.querySelectorAll('.live .card').length > 1")
    watching = page.evaluate(
        "[...document.querySelectorAll('.live .card:not([data-channel=demo])')]"
        ".map(card => parseInt(card.querySelector('.card-viewers')?.textContent ?? '0'))"
    )
    assert watching == sorted(watching, reverse=True)
    in_all_sizes(page, "home")
    # Everything by the keyboard: from the search to a card, and to its channel, as the same user.
    page.press("/")
    page.until("document.activeElement.id === 'q'")
    for _ in range(30):
        page.press("Tab")
        if page.evaluate("document.activeElement.dataset.channel") == "cup":
            break
    page.press("Enter")
    page.until("document.querySelector('.score')?.textContent === 'Oranjestad21Lunenburg'")
    page.until("document.querySelector('#user')?.value === 'ana'")
    page.until("document.title === 'Oranjestad 2–1 Lunenburg · Touchline'")
    page.click(".to-home")
    page.until("document.querySelector('.live .card') !== null")
    page.until("location.search === '?user=ana'")
    watcher.close()


def test_everything_is_searched_from_home(browser: Browser, pipeline: Pipeline) -> None:
    say(pipeline, "attic", "an astrolabe in the attic")
    say(pipeline, "cellar", "no astrolabe here")
    page = home(browser, pipeline, **DESKTOP)
    deadline = time.monotonic() + 120
    while not page.evaluate("document.querySelectorAll('.hit mark').length >= 2"):
        assert time.monotonic() < deadline, "it is not found"
        page.fill("#q", "")
        page.until("document.querySelector('.results') === null")
        page.fill("#q", "astrolabe")
        page.until("/result|Nothing/.test(document.querySelector('.found-count')?.textContent ?? '')")
    in_all_sizes(page, "home-search")
    page.until("location.search === '?q=astrolabe'")  # what is searched for is in the address
    page.until(
        "(hit => hit && (hit.click(), true))"
        "([...document.querySelectorAll('.hit')].find(hit => hit.textContent.includes('attic')))"
    )
    page.until("document.querySelector('.found .line-text')?.textContent === 'an astrolabe in the attic'")
    page.evaluate("history.back()")
    page.until("document.querySelectorAll('.hit').length >= 2")
    # Channels are found by the beginning of their name.
    page.fill("#q", "atti")
    page.until("document.querySelector('.found-channels a')?.textContent.startsWith('attic')")
    page.close()


def test_a_name_that_is_made_up_is_told_and_nothing_is_put_in_its_place(
    browser: Browser, pipeline: Pipeline
) -> None:
    page = browser.open(f"{pipeline.gateway_url}/?channel=not%20a%20channel!", **PHONE)
    page.until(shows("main", "There is no channel of this name"))
    page.until(shows("main", "not a channel!"))
    assert page.axe() == []
    page.picture("viewers-no-channel-phone")
    page.click("main .button")
    page.until("document.querySelector('#q') !== null")
    # One that could be, and is not.
    empty = visit(browser, pipeline, "never-heard-of", **DESKTOP)
    empty.until(shows(".pane-match .empty", "There is nothing in never-heard-of"))
    empty.picture("viewers-nothing-there")
    say(pipeline, "never-heard-of", "it begins")
    empty.until(shows(".pane-match .empty", "Nothing has happened yet"))
    # And one that is searched for on the page of all that is on.
    page.fill("#q", "made-up-name")
    page.until(shows(".results", "There is no channel made-up-name yet"))


def test_it_is_read_in_other_languages(browser: Browser, pipeline: Pipeline) -> None:
    assert send(pipeline, "POST", "/v1/demo", {"channel": "spoken", "seconds": 5}) == 202
    page = home(browser, pipeline, **PHONE)
    for language, live, picture in (("es", "En directo ahora", "spanish"), ("ko", "지금 라이브", "korean")):
        page.evaluate(
            f"(() => {{ const one = document.querySelector('.language'); one.value = '{language}';"
            " one.dispatchEvent(new Event('change', { bubbles: true })); })()"
        )
        page.until(shows("#live-title", live))
        assert page.evaluate("document.documentElement.lang") == language
        page.until("document.querySelector('.live .card') !== null")
        page.picture(f"home-{picture}-phone")
        assert page.axe() == []
    # It is kept, and the page of a match speaks it, too.
    page.evaluate("location.assign('/?channel=spoken')")
    page.until("document.querySelector('.clock')?.textContent === '경기 종료'")
    page.until(shows(".item-title", "골"))
    page.picture("viewers-korean-phone")
    page.close()


def test_what_cannot_be_asked_for_is_told_and_asked_for_again(browser: Browser, pipeline: Pipeline) -> None:
    say(pipeline, "attic", "somebody is here")
    page = home(browser, pipeline, **DESKTOP)
    page.until("document.querySelector('.card, .row') !== null")
    page.offline(True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.until(shows("[role=alert]", "cannot be reached"))
    assert page.evaluate("document.querySelector('.card, .row') !== null"), "what was known stays"
    page.fill("#q", "somebody")
    page.until(shows(".results [role=alert]", "cannot be reached"))
    page.offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    page.until(f"!{shows('[role=alert]', 'cannot be reached')}")
    page.until("document.querySelector('.found-count') !== null")
    page.close()
