"""Without keys the page's address, or a field of the page, says who its user is."""

import pytest

from tests.pipeline import Pipeline
from tests.web.browser import Browser
from tests.web.pages import CAUGHT_UP, DESKTOP, PHONE, reads, shows, visit, write

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
SIGNED = "[...document.querySelectorAll('.name:not(.unsigned)')].map(name => name.textContent)"


def test_who_the_address_names_posts_and_reads_under_that_name(browser: Browser, pipeline: Pipeline) -> None:
    ana = visit(browser, pipeline, "named&user=ana", **DESKTOP)
    other = visit(browser, pipeline, "named", **PHONE)
    assert ana.evaluate("document.querySelector('#user').value") == "ana"
    assert ana.evaluate("document.querySelector('#own-name')") is None, "there is no other name to give"
    other.click("[data-name=chat]")
    write(ana, "signed by the edge")
    other.until(reads("signed by the edge"))
    other.until(f"{SIGNED}.join() === 'ana'")
    ana.until("document.querySelector('.mine .tick.delivered') !== null")
    ana.picture("viewers-named-desktop")
    # The field says the same as the address, and goes along with it.
    other.fill("#user", "bén & co")
    other.press("Enter")
    other.until("new URLSearchParams(location.search).get('user') === 'bén & co'")
    other.until(CAUGHT_UP)
    other.until(reads("signed by the edge"))
    write(other, "by another")
    ana.until(reads("by another"))
    ana.until(f"{SIGNED}.join() === 'ana,bén & co'")
    other.evaluate("history.back()")
    other.until("document.querySelector('#user').value === ''")
    ana.close()
    other.close()


def test_a_users_own_channel_is_shown_to_them_alone(browser: Browser, pipeline: Pipeline) -> None:
    ana = visit(browser, pipeline, "user-ana&user=ana", **DESKTOP)
    write(ana, "a needle in my own haystack")
    ana.until("document.querySelector('.mine .tick.delivered') !== null")
    eve = browser.open(f"{pipeline.gateway_url}/?channel=user-ana&user=eve", **DESKTOP)
    eve.until(shows(".pane-chat .empty", "You cannot read this chat"))
    ana.close()
    eve.close()
