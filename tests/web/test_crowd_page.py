"""A crowd in the page, in two browsers: applause that flies up, reactions on messages, polls."""

import json

import pytest

from tests.pipeline import Pipeline
from tests.web.browser import Browser, Page
from tests.web.pages import (
    DESKTOP,
    PHONE,
    in_all_lights,
    line_of,
    press_in,
    reads,
    shows,
    visit,
    write,
)

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]


#: What flies is over in a moment: it is counted as it comes.
WATCH_WHAT_FLIES = """
  window.flew = 0;
  new MutationObserver((all) => all.forEach((one) => (window.flew += one.addedNodes.length)))
    .observe(document.querySelector('.flying'), { childList: true });
"""


def applause(emoji: str, count: int) -> str:
    """JavaScript: whether so much applause is shown."""
    shown = f"document.querySelector('[data-applaud={json.dumps(emoji)}] .count')?.textContent"
    return f"{shown} === '{count}'"


def in_line(page: Page, text: str, selector: str) -> None:
    """Click something in the message that says this."""
    page.until(reads(text))
    press_in(page, line_of(text), selector)


def test_a_crowd_in_two_browsers(browser: Browser, pipeline: Pipeline) -> None:
    ana = visit(browser, pipeline, "page-crowd&user=ana", **DESKTOP)
    ben = visit(browser, pipeline, "page-crowd&user=ben", motion="no-preference", **PHONE)
    ben.click("[data-name=chat]")
    for page in (ana, ben):
        page.evaluate(WATCH_WHAT_FLIES)
    for _ in range(3):
        ana.click('[data-applaud="👏"]')
    ana.until(applause("👏", 3))
    ben.until(applause("👏", 3))
    ben.click('[data-applaud="👏"]')
    ana.until(applause("👏", 4))
    ben.until("window.flew > 0")
    assert ana.evaluate("window.flew") == 0  # who wants less motion
    write(ana, "Goal by the number 8")
    in_line(ben, "Goal by the number 8", ".react")
    in_line(ben, "Goal by the number 8", '[data-react="🔥"]')
    for page in (ana, ben):
        page.until(shows(".reaction", "🔥 1"))
    ben.until("document.querySelector('[data-reaction][aria-pressed=true]') !== null")
    in_line(ana, "Goal by the number 8", '[data-reaction="🔥"]')
    for page in (ana, ben):
        page.until(shows(".reaction", "🔥 2"))
    in_line(ben, "Goal by the number 8", '[data-reaction="🔥"]')
    for page in (ana, ben):
        page.until(shows(".reaction", "🔥 1"))
    ana.click("[data-do=poll]")
    ana.fill("#poll-question", "Who wins?")
    ana.fill(".poll-option:nth-of-type(2)", "home")
    ana.until("document.querySelectorAll('.poll-option').length >= 2")
    ana.fill(".poll-option:nth-of-type(3)", "away")
    press_in(ana, "document.querySelector('.poll-form')", "button[type=submit]")
    for page in (ana, ben):
        page.until(shows(".poll legend", "Who wins?"))
    ben.click('.poll [data-option="1"]')
    ana.until("document.querySelector('.poll [data-option=\"1\"] .count').textContent === '1'")
    ben.until("document.querySelector('.poll [data-option=\"1\"]').ariaPressed === 'true'")
    ben.click('.poll [data-option="0"]')
    ana.until("document.querySelector('.poll [data-option=\"0\"] .count').textContent === '1'")
    in_all_lights(ana, "crowd", view="chat")
    assert ana.axe() == []
    assert ben.axe() == []
    assert ben.evaluate("document.querySelector('[data-do=close-poll]')") is None
    for page in (ana, ben):
        page.until("document.querySelector('.poll [data-option=\"1\"] .count').textContent === '0'")
    ana.click("[data-do=close-poll]")
    for page in (ana, ben):
        page.until("document.querySelector('.poll').dataset.open === 'false'")
        page.until(shows(".line-text", "“Who wins?”: home 1, away 0"))
    # Who comes later finds it as it stands.
    cat = visit(browser, pipeline, "page-crowd&user=cat", **DESKTOP)
    cat.until(applause("👏", 4))
    cat.until(shows(".reaction", "🔥 1"))
    cat.until(shows(".poll-note", "closed"))
