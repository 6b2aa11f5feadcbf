"""The analyst's desk: by keyboard alone, two at once, and what a link does not show."""

import csv
import io
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser, Page
from tests.web.pages import DESKTOP, PHONE, ask, post, shows, visit, write

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
SMALL = {"width": 320, "height": 640}
COUNT = "document.querySelector('.found-count')?.textContent ?? ''"
OFFERS = "[...document.querySelectorAll('[role=option] bdi')].map(one => one.textContent)"
QUERY = "document.querySelector('#q').value"
FOCUSED = "document.activeElement"
ROWS = (
    "[...document.querySelectorAll('tr.row')].map(row => [...row.cells].slice(1).map(one => one.textContent))"
)

#: What the table of numbers counts in all.
NUMBERS = (
    "[...document.querySelectorAll('.chart tbody td:nth-child(2)')]"
    ".reduce((sum, one) => sum + Number(one.textContent), 0)"
)


def visit_desk(browser: Browser, pipeline: Pipeline, **asked: str) -> Page:
    page = browser.open(f"{pipeline.gateway_url}/search?{urlencode(asked)}", **DESKTOP)
    page.until("document.querySelector('.found-count') !== null")
    return page


def until_found(page: Page, count: int) -> None:
    page.until(f"/^{count:,} hits? /.test({COUNT})")


def reach(page: Page, script: str) -> None:
    """Go on with Tab until this is reached, once it is there."""
    page.until(f"document.querySelector({json.dumps(script)}) !== null")
    for _ in range(60):
        if page.evaluate(f"{FOCUSED}?.matches({json.dumps(script)})"):
            return
        page.press("Tab")
    raise AssertionError(f"{script} is not reached with Tab")


def choose(page: Page, selector: str, value: str) -> None:
    page.until(
        f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
        f" if (!one) return false; one.value = {json.dumps(value)};"
        " return one.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )


def chatter(pipeline: Pipeline, channel: str, word: str) -> None:
    """Six things that ana says, three of bob's with a link, two goals."""
    for n in range(6):
        post(pipeline, "chat", channel, [{"sender": "ana", "data": {"text": f"{word} number {n}"}}])
    links = [{"sender": "bob", "data": {"text": f"a {word}, see https://e.org/{n}"}} for n in range(3)]
    post(pipeline, "chat", channel, links)
    goals: list[dict[str, Any]] = [
        {"type": "goal", "data": {"text": f"{word} scores", "minute": 40 + n}} for n in range(2)
    ]
    post(pipeline, "broadcast", channel, goals)
    # What else is said, from which the above stands out.
    rain = [{"sender": "cleo", "data": {"text": f"rain again, {n}"}} for n in range(40)]
    post(pipeline, "chat", f"{channel}-weather", rain)


def found(pipeline: Pipeline, q: str, count: int, user: str = "ana") -> None:
    asked = f"/v1/search?{urlencode({'q': q, 'limit': '1'})}"
    eventually("all of it is found", lambda: ask(pipeline, "GET", asked, user)["total"] == count)


def completed(page: Page) -> None:
    """Tab completes operators and their values; a mistake in the query is told with its place."""
    page.press("/")
    page.until(f"{FOCUSED}.id === 'q'")
    page.fill("#q", "quokka fro")
    page.until(f"{OFFERS}[0] === 'from:'")
    page.press("Tab")
    page.until(f"{QUERY} === 'quokka from:' && {OFFERS}.includes('from:bob')")
    page.fill("#q", "quokka from:bo")
    page.until(f"{OFFERS}.includes('from:bob')")

    def taken() -> bool:
        # What is offered may come anew between the keys: nothing is chosen then, and Tab takes the first.
        page.fill("#q", "quokka from:bo")
        page.until(f"{OFFERS}[0] === 'from:bob'")
        page.press("ArrowDown")
        page.press("Tab")
        return bool(page.evaluate(QUERY) == "quokka from:bob ")

    eventually("it is completed", taken)
    page.press("Enter")
    until_found(page, 3)
    page.fill("#q", 'quokka "half')
    page.press("Enter")
    page.until(shows("[role=alert]", 'a second " is expected'))
    page.fill("#q", "quokka in:desk")
    page.press("Enter")
    until_found(page, 11)


def narrowed(page: Page) -> None:
    """Whoever is chosen is a filter, whoever is left out is left out by the query; the way back undoes it."""
    reach(page, "[aria-label=Sender] .value")
    page.press("Enter")
    until_found(page, 6)
    page.until(shows(".chosen", "from:ana"))
    reach(page, ".chosen button")
    page.press("Enter")
    until_found(page, 11)
    page.click("[aria-label='Leave out ana']")
    until_found(page, 5)
    page.until(f"{QUERY} === 'quokka in:desk -from:ana'")
    page.evaluate("history.back()")
    until_found(page, 11)


def counted(page: Page) -> None:
    """Bars by sender, beside the time before; the numbers behind them; what stands out."""
    page.fill("#since", "10m")
    page.press("Enter")
    page.until(shows(".chosen", "from 10m"))
    choose(page, "#by", "sender")
    page.until(shows(".legend", "bob 3"))
    page.click("#compare")
    page.until(shows(".difference", "11 more than in the same time before"))
    page.click(".chart summary")
    page.until(f"{NUMBERS} === 11")
    page.click("#standout")
    page.until("document.querySelector('[aria-label=\"Words that stand out\"] bdi') !== null")


def tabled(page: Page) -> None:
    """Columns that one chooses, and a row in its context."""
    choose(page, "#sort", "oldest")
    page.until(f"{ROWS}[0]?.[3] === 'quokka number 0'")
    page.click(".columns summary")
    page.fill("#column", "minute")
    page.press("Enter")
    page.until(f"{ROWS}.at(-1).at(-1) === '41'")
    page.press("Escape")
    page.until("(document.querySelector('.open').focus(), document.activeElement.matches('.open'))")
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.press(key)
    page.until("document.querySelector('.context [aria-current]')?.textContent.endsWith('quokka number 2')")
    page.until("document.querySelectorAll('.context li').length === 6")


def test_an_analyst_asks_by_keyboard_and_takes_away_what_was_found(
    browser: Browser, pipeline: Pipeline
) -> None:
    chatter(pipeline, "desk", "quokka")
    found(pipeline, "quokka", 11)
    page = visit_desk(browser, pipeline)
    completed(page)
    narrowed(page)
    counted(page)
    tabled(page)
    for scheme in ("light", "dark"):
        for device, size in (("desktop", DESKTOP), ("phone", PHONE), ("small", SMALL)):
            page.look(scheme=scheme, **size)
            page.picture(f"analyst-{device}-{scheme}", full=device != "desktop")
            assert page.axe() == [], f"{device} {scheme}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{device} scrolls"
    page.look(scheme="light", **DESKTOP)
    # All of it is in the address: whoever opens that sees the same.
    again = browser.open(page.evaluate("location.href"), **DESKTOP)
    again.until("document.querySelector('.context [aria-current]') !== null")
    for same in (ROWS, "document.querySelector('.legend').textContent"):
        wanted = page.evaluate(f"JSON.stringify({same})")
        again.until(f"JSON.stringify({same}) === {json.dumps(wanted)}")
    again.close()
    rows = list(csv.DictReader(io.StringIO(page.download("#export-csv"))))
    assert [row["text"] for row in rows[:6]] == [f"quokka number {n}" for n in range(6)]
    lines = page.download("#export-ndjson").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in rows]
    assert len(rows) == 11
    page.click("[aria-controls$=help]")
    page.until(shows(".help", "whom its text names, as @ana"))
    page.picture("analyst-help")
    assert page.axe() == []
    page.close()


def test_one_saves_an_alert_and_sees_what_another_says(browser: Browser, pipeline: Pipeline) -> None:
    desk = visit_desk(browser, pipeline, user="ines", q="wombat -friendly", channel="burrow")
    desk.until("document.querySelector('.state').textContent.startsWith('Live')")
    reach(desk, "#alert")
    desk.until(f"{FOCUSED}.value === 'wombat-friendly-burrow'")
    desk.fill("#alert", "wombats")
    desk.press("Enter")
    desk.until("document.querySelector('[data-alert=wombats]') !== null")
    desk.until(shows(".alert-query", "wombat -friendly channel:burrow"))
    other = visit(browser, pipeline, "burrow&user=jan", **DESKTOP)

    def told() -> bool:
        write(other, "a wombat came by")
        other.until("document.querySelector('.mine:last-of-type .tick')?.matches('.delivered')")
        return bool(desk.evaluate("document.querySelector('[data-alert=wombats] .news') !== null"))

    eventually("the alert is known to the indexer", told)
    desk.until(shows("[data-alert=wombats] .news", "a wombat came by"))
    desk.until(shows("[data-alert=wombats] .news", "jan"))
    desk.until(shows("[data-alert=wombats] .fresh", "new"))
    desk.picture("analyst-alert")
    # Whose it is not sees nothing of it.
    stranger = visit_desk(browser, pipeline, user="kim")
    stranger.until("document.querySelector('.alerts').textContent.includes('None yet')")
    # It is a search again, once the index has it, and then it is no more.
    asked = f"/v1/search?{urlencode({'q': 'wombat -friendly channel:burrow'})}"
    eventually("it is found", lambda: ask(pipeline, "GET", asked, "ines")["total"])
    desk.click("[data-alert=wombats] .alert-name")
    desk.until("document.querySelector('[data-alert=wombats] .fresh') === null")
    desk.until(f"{ROWS}[0]?.[3] === 'a wombat came by'")
    desk.click("[aria-label='Remove wombats']")
    desk.click("[data-alert=wombats] .acts .button")
    desk.until("document.querySelector('[data-alert=wombats]') === null")
    eventually("it is no more", lambda: ask(pipeline, "GET", "/v1/alerts", "ines")["alerts"] == [])


def test_a_link_shows_nothing_that_one_may_not_read(browser: Browser, pipeline: Pipeline) -> None:
    ask(pipeline, "POST", "/v1/rooms", "lena", {"room": "desk-1", "name": "Desk", "members": ["milo"]})
    page = visit(browser, pipeline, "room-desk-1&user=lena", **DESKTOP)
    write(page, "the numbat is a secret")
    found(pipeline, "numbat", 1, "milo")
    seq = ask(pipeline, "GET", "/v1/search?q=numbat", "milo")["hits"][0]["event"]["seq"]
    link = {"q": "numbat", "hit": f"chat:room-desk-1@{seq}"}
    friend = visit_desk(browser, pipeline, user="milo", **link)
    friend.until("document.querySelector('.context [aria-current]')?.textContent.includes('secret')")
    stranger = visit_desk(browser, pipeline, user="nick", **link)
    stranger.until(f"{COUNT}.startsWith('Nothing was found')")
    stranger.until("document.querySelector('.linked [role=alert]') !== null")
    assert not stranger.evaluate("document.body.textContent.includes('secret')")
