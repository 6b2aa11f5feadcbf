"""The page's search: facets and histogram count what was said, and each of them narrows it down."""

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser, Page
from tests.web.pages import DESKTOP, in_all_lights, post, visit

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
FACETS = """Object.fromEntries([...document.querySelectorAll('.facet')].map(facet =>
  [facet.ariaLabel, Object.fromEntries([...facet.querySelectorAll('button')].map(button =>
    [button.querySelector('bdi')?.textContent, Number(button.querySelector('span')?.textContent ?? 0)]))]))"""
BARS = "[...document.querySelectorAll('.bar')].map(bar => Number(bar.dataset.count))"
AT_BAR = "[...document.querySelectorAll('.bar')].indexOf(document.activeElement)"
TIMES = "[...document.querySelectorAll('.hit time')].map(time => time.dateTime)"
STREAMS = "[...document.querySelectorAll('.hit-head span')].map(stream => stream.textContent)"
READY = "document.querySelector('.pane-search .scroll').ariaBusy === 'false'"
COUNT = "document.querySelector('.found-count')?.textContent"


def search_for(page: Page, words: str) -> int:
    """Search anew, as one who has found nothing yet; how many were found."""
    page.fill("#q", "")
    page.until("document.querySelector('.found-count') === null")
    page.fill("#q", words)
    page.until("document.querySelector('.found-count') !== null")
    return total(page)


def total(page: Page) -> int:
    said = re.match(r"[\d,]+", page.evaluate(COUNT))
    return int(said[0].replace(",", "")) if said else 0


def until_found(page: Page, count: int) -> None:
    page.until(f"/^{count:,} results?,/.test({COUNT})")


def chat(pipeline: Pipeline, channel: str, *senders: str) -> None:
    post(pipeline, "chat", channel, [{"sender": who, "data": {"text": "a thimble"}} for who in senders])


def facet(page: Page, name: str, value: str) -> None:
    """Press it."""
    page.until(
        f"(one => one && (one.click(), true))([...document.querySelectorAll('[aria-label={name}] button')]"
        f".find(one => one.querySelector('bdi').textContent === {json.dumps(value)}))"
    )


def bars_narrow_it_down(page: Page, everything: int) -> None:
    """By keyboard and by pointer."""
    bars = page.evaluate(BARS)
    filled = [n for n, count in enumerate(bars) if count]
    page.evaluate(f"document.querySelectorAll('.bar')[{filled[0]}].focus()")
    page.press("ArrowRight")
    page.until(f"{AT_BAR} === {filled[1]}")
    page.press("Enter")
    until_found(page, bars[filled[1]])
    within = page.evaluate(TIMES)
    page.click("[aria-label=Time] button")
    until_found(page, everything)
    page.evaluate(f"document.querySelectorAll('.bar')[{filled[0]}].click()")
    until_found(page, bars[filled[0]])
    assert max(page.evaluate(TIMES)) < min(within), "the bars are in order of time, and share no hit"
    page.click("[aria-label=Time] button")
    until_found(page, everything)


def test_facets_and_bars_count_what_was_said_and_narrow_it_down(browser: Browser, pipeline: Pipeline) -> None:
    channel, other = "counted", "counted-too"
    page = visit(browser, pipeline, channel, **DESKTOP)
    page.click("[data-name=search]")
    chat(pipeline, channel, *["ana"] * 6, *["bob"] * 3)
    goals: list[dict[str, Any]] = [{"type": "goal", "data": {"text": "a thimble of a pass"}}] * 2
    post(pipeline, "broadcast", channel, goals)
    chat(pipeline, other, "cleo", "ana")
    eventually("all of it is found", lambda: search_for(page, "thimble") == 11)

    # It goes on for some seconds, until there are bars to choose from.
    bobs = 3

    def goes_on() -> bool:
        nonlocal bobs
        chat(pipeline, channel, "bob")
        bobs += 1
        eventually("that is found, too", lambda: search_for(page, "thimble") == 8 + bobs)
        bars: list[int] = page.evaluate(BARS)
        return sum(count > 0 for count in bars) > 2

    eventually("there are three bars", goes_on)
    everything = 8 + bobs
    facets = {
        "Kind": {"chat": 6 + bobs, "broadcast": 2},
        "Sender": dict(sorted({"ana": 6, "bob": bobs}.items(), key=lambda one: (-one[1], one[0]))),
    }
    eventually("facets count it", lambda: page.evaluate(FACETS) == facets)
    assert sum(page.evaluate(BARS)) == everything
    in_all_lights(page, "viewers-search-facets", view="search")
    assert page.axe() == []

    facet(page, "Kind", "broadcast")
    until_found(page, 2)
    assert page.evaluate(STREAMS) == [f"broadcast:{channel}"] * 2
    facet(page, "Kind", "broadcast")
    until_found(page, everything)
    facet(page, "Sender", "ana")
    until_found(page, 6)
    assert sum(page.evaluate(BARS)) in {6, 0}, "a single bar tells nothing, and is left out"
    facet(page, "Sender", "ana")
    until_found(page, everything)

    bars_narrow_it_down(page, everything)

    page.click(".search-options input")
    until_found(page, everything + 2)
    assert page.evaluate(FACETS)["Channel"] == {channel: everything, other: 2}
    facet(page, "Channel", other)
    until_found(page, 2)
    assert page.evaluate(STREAMS) == [f"chat:{other}"] * 2
    # The search is in the address, and each message has one of its own: whoever is sent them sees the same.
    page.until(f"new URLSearchParams(location.search).get('in') === {json.dumps(other)}")
    addresses = page.evaluate("[location.href, document.querySelector('.hit a').href]")
    again, there = (browser.open(address, **DESKTOP) for address in addresses)
    until_found(again, 2)
    there.until("document.querySelector('.found .line-text')?.textContent === 'a thimble'")
    again.close()
    there.close()
    # A message of another channel is shown there.
    page.click(".hit-open")
    page.until("document.querySelector('.found .line-text')?.textContent === 'a thimble'")
    page.until(f"document.title === {json.dumps(f'{other} · Touchline')}")
    page.close()


def test_hits_come_in_the_order_that_is_asked_for(browser: Browser, pipeline: Pipeline) -> None:
    page = visit(browser, pipeline, "ordered", **DESKTOP)
    page.click("[data-name=search]")
    texts = [f"{'thread ' * n}number {n}" for n in range(1, 6)]
    post(pipeline, "chat", "ordered", [{"sender": "ana", "data": {"text": text}} for text in texts])
    eventually("all are found", lambda: search_for(page, "thread") == 5)
    first = "document.querySelector('.hit-text').textContent"
    for order, text in (("oldest", texts[0]), ("newest", texts[-1])):
        page.evaluate(
            f"(select => {{ select.value = {json.dumps(order)};"
            " select.dispatchEvent(new Event('change', {bubbles: true})); })"
            "(document.querySelector('.search-options select'))"
        )
        page.until(f"{first} === {json.dumps(text)}")
    times = page.evaluate(TIMES)
    assert all(later >= sooner for later, sooner in pairwise(times))
    page.close()


def test_focus_stays_where_one_searches_and_a_search_is_tried_again(
    browser: Browser, pipeline: Pipeline
) -> None:
    channel = "again"
    chat(pipeline, channel, "ana")
    chat(pipeline, channel, "ben", "cat")
    page = visit(browser, pipeline, channel, **DESKTOP)
    page.click("[data-name=search]")
    eventually("all are found", lambda: search_for(page, "thimble") == 3)
    if page.evaluate("document.querySelector('.bar:not(:disabled)') !== null"):
        page.until(
            "(bar => bar && (bar.focus(), document.activeElement === bar))"
            "(document.querySelector('.bar:not(:disabled)'))"
        )
        page.press("Enter")
        page.until("document.activeElement.id === 'q-span'")
        page.press("Enter")
        page.until("document.activeElement.id === 'q'")
    page.offline(True)
    page.fill("#q", "thimb*")
    page.until("document.querySelector('.pane-search .notice') !== null")
    page.offline(False)
    page.until("document.querySelector('.pane-search .notice') === null")
    until_found(page, 3)
    page.close()
