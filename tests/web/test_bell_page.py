"""Following, the feed and the bell in the page, in two browsers."""

import json
import urllib.request
from typing import Any

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser
from tests.web.pages import DESKTOP, PHONE, in_all_lights, post, press_in, shows, visit, write

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]


def unread(number: int) -> str:
    label = "document.querySelector('.bell summary')?.getAttribute('aria-label')"
    return f"{label} === 'Notifications, {number} unread'"


def test_who_follows_hears_of_it_and_is_told_what_concerns_them(browser: Browser, pipeline: Pipeline) -> None:
    ana = visit(browser, pipeline, "page-bell&user=ana", **DESKTOP)
    ben = visit(browser, pipeline, "page-bell&user=ben", **PHONE)
    ana.until(shows(".follow", "Follow"))
    ana.click(".follow")
    ana.until(shows(".follow", "Following 1"))
    # Somebody mentions her: the bell says so, on each of her devices.
    phone = visit(browser, pipeline, "page-elsewhere&user=ana", **PHONE)
    ben.click("[data-name=chat]")
    write(ben, "Where is @ana?")
    for page in (ana, phone):
        page.until(unread(1))
    in_all_lights(ana, "bell-closed")
    ana.click(".bell summary")
    ana.until(shows(".bell-panel li", "ben mentions you in page-bell"))
    for page in (ana, phone):  # read on one of them, read on all
        page.until("document.querySelector('.bell summary').getAttribute('aria-label') === 'Notifications'")
    # What the channel posts is in her feed, as it comes.
    ana.click("[data-tab=feed]")
    post(pipeline, "broadcast", "page-bell", [{"type": "post", "data": {"text": "The gates are open"}}])
    ana.until(shows(".bell-panel .feed-text", "The gates are open"))
    assert ana.axe() == []
    in_all_lights(ana, "bell-feed")
    ana.click("[data-tab=wishes]")
    ana.until("document.querySelectorAll('.wishes input[type=checkbox]').length === 5")
    press_in(ana, "document.querySelector('.wishes')", "input[type=checkbox]")
    ana.until(shows(".wishes .quiet", "It is kept."))
    assert ana.axe() == []
    eventually("it holds", lambda: told(pipeline, "ana")["types"]["mention"] is False)
    ana.fill("#quiet", "22:00-07:00 Mars/Base")
    ana.press("Enter")
    ana.until(shows(".wishes .quiet", "There is no time zone"))
    in_all_lights(ana, "bell-wishes")


def told(pipeline: Pipeline, user: str) -> Any:
    request = urllib.request.Request(
        f"{pipeline.gateway_url}/v1/notifications", headers={"Touchline-User": user}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
