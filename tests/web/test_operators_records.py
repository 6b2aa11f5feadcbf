"""The operators' page in a real browser: records, hours, values by keyboard, settings, alerts, commands."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError

import pytest
from confluent_kafka import Producer

from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser, Page
from tests.web.pages import DESKTOP, PHONE, ask, press_in, say, send, shows

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
NARROW = {"width": 320, "height": 720}
SAVE = "dialog[open] button[type=submit]"
MOMENT = (
    "[...document.querySelectorAll('.plot')].map(one => one.getAttribute('aria-valuetext').split(': ')[0])"
)
LABEL = "document.querySelector('.charts').getAttribute('aria-label')"
#: The middle of a chart, under the pointer.
POINT = (
    "(() => { const one = document.querySelector('.plot .u-over');"
    " const { left, top, width } = one.getBoundingClientRect();"
    " const at = { bubbles: true, clientX: left + width / 2, clientY: top + 9 };"
    " for (const name of ['mouseenter', 'mousemove']) one.dispatchEvent(new MouseEvent(name, at)); })()"
)


def operate(browser: Browser, pipeline: Pipeline, size: Mapping[str, int] = DESKTOP) -> Page:
    page = browser.open(f"{pipeline.gateway_url}/ops", **size)
    page.until("document.querySelector('.verdict') !== null")
    return page


def look_until(page: Page, script: str, button: str) -> None:
    """Look again, by this button, until it is so: a look has some seconds, a busy machine may need more."""

    def there() -> bool:
        page.until(
            f"document.querySelector('[aria-busy=true]') === null && !{shows('[role=status]', 'Looking')}"
        )
        if page.evaluate(script):
            return True
        press_in(page, "document", button)
        return False

    eventually(script, there)


def in_every_size(page: Page, name: str) -> None:
    """Nothing hangs over, nothing serious is found by axe, and a picture is kept."""
    for scheme in ("light", "dark"):
        for device, size in (("narrow", NARROW), ("phone", PHONE), ("desktop", DESKTOP)):
            page.look(scheme=scheme, **size)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} {device} hangs over by {wide} px"
            page.picture(f"{name}-{device}-{scheme}", full=device != "desktop")
            assert page.axe() == [], f"{name} {device} {scheme}"
    page.look(scheme="light", **DESKTOP)


def test_records_are_found_by_topic_and_key_and_opened_by_keyboard(
    browser: Browser, pipeline: Pipeline
) -> None:
    say(pipeline, "read-back", *(f"number {n}" for n in range(45)))
    past = "/v1/streams/chat/read-back/events?after=0&limit=100"
    eventually("all are accepted", lambda: len(ask(pipeline, "GET", past, None)["events"]) == 45)
    topic = topic_names(pipeline.settings).events[Kind.CHAT]
    page = operate(browser, pipeline)
    page.click(".views a[href='#records']")
    known = "[...document.querySelectorAll('option')].some(one => one.value === %s)"
    page.until(known % json.dumps(topic))
    page.evaluate(f"void (document.querySelector('[name=topic]').value = {json.dumps(topic)})")
    page.fill("[name=key]", "read-*")
    page.press("Enter")
    page.until(f"location.hash.includes({json.dumps(topic)})")
    look_until(page, shows(".card-table [role=status]", "20 records"), "form.ask button")
    assert f"topic={topic}" in page.evaluate("location.hash"), "its address can be passed on"
    page.evaluate("document.querySelector('.records summary').focus()")
    page.press("Enter")
    page.until(shows(".records details[open] .value", '"channel": "read-back"'))
    in_every_size(page, "operators-records")
    for more in (40, 45):
        look_until(page, f"document.querySelectorAll('.records > li').length === {more}", ".below button")
    page.until("document.querySelector('.below button') === null")
    page.fill("[name=key]", "nobody")
    page.press("Enter")
    page.until(shows(".card-table [role=status]", "There are none."))


def test_values_of_a_moment_are_shown_by_pointer_and_keyboard_and_hours_are_kept(
    browser: Browser, pipeline: Pipeline
) -> None:
    page = operate(browser, pipeline)
    page.until(f"Number(/\\d+/.exec({LABEL})[0]) > 20")
    page.evaluate("document.querySelector('.plot').focus()")
    page.press("Home")
    page.until("document.querySelectorAll('.when').length === 4")
    first = page.evaluate(MOMENT)
    assert len(set(first)) == 1, "all charts tell the same moment"
    page.press("PageUp")
    page.until(f"{MOMENT}[0] > {json.dumps(first[0])}")
    page.picture("operators-moment")
    page.press("Escape")
    page.until("document.querySelector('.when') === null")
    # A hand is never quite still: figures that come in the same moment may take what it points at away.
    page.until(f"{POINT} ?? document.querySelectorAll('.when').length === 4")
    page.click(".ranges button:nth-of-type(2)")
    page.until(shows(".ranges [role=status]", "Kept on the log for 24 hours"))
    page.until(f"{LABEL} === 'Figures of the last 60 minutes'")
    # A look is kept each quarter of a minute: soon there are two, and what lies between them is drawn.
    page.until(f"{MOMENT}[0] !== ''", within=180)
    in_every_size(page, "operators-hour")


def test_two_operators_change_a_channel_and_neither_undoes_the_other(
    browser: Browser, pipeline: Pipeline
) -> None:
    assert send(pipeline, "PUT", "/v1/channels/shared-desk", {"max_text": 900}) == 202
    pages = [operate(browser, pipeline), operate(browser, pipeline, PHONE)]
    for page in pages:
        page.until(shows(".folded summary", "quiet channel"))
        page.evaluate("[...document.querySelectorAll('.folded')].forEach(one => one.open = true)")
        page.until("document.querySelector(\"[aria-label='Settings of shared-desk']\") !== null")
        page.click("[aria-label='Settings of shared-desk']")
        page.until("document.querySelector('dialog[open] [name=max_text]')?.value === '900'")
    one, other = pages
    one.fill("dialog[open] [name=slow_s]", "7")
    one.fill("dialog[open] [name=blocked]", "offside\nhandball")
    in_every_size(one, "operators-settings")
    one.click(SAVE)
    one.until(shows(".said", "blocked, slow_s"))
    other.fill("dialog[open] [name=max_text]", "800")
    other.press("Enter")
    other.until(shows(".said", "max_text"))

    def settings() -> dict[str, Any]:
        told = one.evaluate("fetch('/v1/channels/shared-desk').then(one => one.json())")
        return dict(told["settings"])

    wanted = {"slow_s": 7, "blocked": ["offside", "handball"], "max_text": 800}
    eventually("both hold", lambda: {name: settings()[name] for name in wanted} == wanted)
    # What is out of bounds is told where it was typed.
    one.click("[aria-label='Settings of shared-desk']")
    one.until("document.querySelector('dialog[open] [name=blocked]') !== null")
    one.fill("dialog[open] [name=blocked]", "x" * 101)
    one.click(SAVE)
    one.until(shows("dialog[open] [role=alert]", "blocked is"))
    one.press("Escape")
    one.click(".views a[href='#audit']")
    both = f"{shows('.audit td', 'set_channel')} && {shows('.audit td', 'shared-desk')}"
    look_until(one, both, ".audit .button.small")
    in_every_size(one, "operators-audit")
    one.click(".audit a")
    one.until("document.querySelector('[name=key]')?.value === 'touchline-audit-*'")


def test_refusals_are_shown_in_full_and_alerts_are_listed_and_forgotten(
    browser: Browser, pipeline: Pipeline
) -> None:
    junk = Producer(client_config(pipeline.settings, partitioner="murmur2_random"))
    junk.produce(topic_names(pipeline.settings).ingest[Kind.CHAT], b"\xffnot an event", b"junkyard")
    assert junk.flush(30) == 0
    assert send(pipeline, "PUT", "/v1/alerts/late-goals", {"q": "goal", "channel": "final"}) == 201
    page = operate(browser, pipeline)
    row = "[...document.querySelectorAll('.wide tr')].find(one => one.textContent.includes('junkyard'))"
    page.until(f"{row} !== undefined")
    page.until(f"{row}.textContent.includes('would not help')")
    # It can be shown, not retried.
    page.until(f"{row}.querySelectorAll('.deed button').length === 1")
    page.until(
        f"({row}.querySelector('.deed button').focus(), document.activeElement.closest('.deed') !== null)"
    )
    page.press("Enter")
    page.until(shows(".payload .value", "\\xffnot an event"))
    in_every_size(page, "operators-payload")
    page.click(".views a[href='#alerts']")
    page.until(shows(".audit td", "q: goal · channel: final"))
    in_every_size(page, "operators-alerts")
    page.click("[aria-label='Forget late-goals']")
    page.click("dialog[open] .button:not(.plain)")
    page.until(f"{shows('.audit', 'There are none.')} || !{shows('.audit td', 'late-goals')}")
    page.until("document.querySelector(\"[aria-label='Forget late-goals']\") === null")


def test_a_receiver_that_takes_nothing_is_seen_in_the_outbox(browser: Browser, pipeline: Pipeline) -> None:
    hook = {"url": "https://nobody.invalid/hook", "streams": ["chat:unheard"]}

    def known() -> bool:
        try:
            return send(pipeline, "PUT", "/v1/webhooks/unheard", hook) in (200, 201)
        except HTTPError as error:  # on a busy machine it takes longer than a request waits
            with error:
                return False

    eventually("it is known", known)
    page = operate(browser, pipeline)
    page.until(shows("td", "unheard"))
    say(pipeline, "unheard", "is anybody there?")
    waits = (
        "Number([...document.querySelectorAll('tr')].find(row => row.cells[0].textContent === 'unheard')"
        ".cells[1].textContent)"
    )
    page.until(f"{waits} === 1")
    page.click("[aria-label='Retry unheard']")
    page.click("dialog[open] .button:not(.plain)")
    page.until(shows(".said", "It is tried now."))

    def forgotten() -> bool:
        try:
            return send(pipeline, "DELETE", "/v1/webhooks/unheard", None) == 200
        except HTTPError as error:  # on a busy machine it takes longer than a request waits
            with error:
                return error.code == 404

    eventually("it is forgotten", forgotten)
