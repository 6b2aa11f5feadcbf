"""Where tokens are needed: both pages ask for one, and say what it lacks."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from kernel.access.tokens import sign
from tests.pipeline import Pipeline, running
from tests.web.browser import Browser, Page
from tests.web.pages import (
    CAUGHT_UP,
    DESKTOP,
    ORIGIN,
    in_all_lights,
    shows,
    write,
)

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
SECRET = "a secret of the tests that is long enough"


def test_where_tokens_are_needed_the_pages_ask_for_one_and_say_what_it_lacks(
    browser: Browser, pipeline: Pipeline, kafka_servers: str, elasticsearch_url: str, tmp_path: Path
) -> None:
    same = {
        "TOUCHLINE_TOPICS_PREFIX": pipeline.name,
        "TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX": pipeline.name,
        "TOUCHLINE_GATEWAY_OPS_EVERY_S": "1",  # it may be the one that feeds the operators' stream
    }
    guarded = running(
        kafka_servers, elasticsearch_url, tmp_path, "edge", "gateway", TOUCHLINE_AUTH_SECRET=SECRET, **same
    )
    reader = {"subscribe": ("*:talk",), "history": ("*:talk",)}
    everything = dict.fromkeys(("subscribe", "publish", "history", "search", "admin"), ("*",))

    def token(can: Mapping[str, tuple[str, ...]]) -> str:
        return sign("ana", can, expires_s=time.time() + 600, key=SECRET)

    def give(page: Page, text: str) -> None:
        page.fill("#token", text)
        page.press("Enter")

    with guarded as closed:
        page = browser.open(f"{closed.gateway_url}/?channel=talk", **DESKTOP)
        page.until(shows(".sign-in", "You are not let in"))
        in_all_lights(page, "viewers-not-let-in")
        give(page, "nonsense")
        page.until(shows(".sign-in", "missing, wrong or expired"))
        give(page, token(reader))
        page.until(CAUGHT_UP)
        page.until("document.querySelector('.sign-in') === null")
        write(page, "may I?")
        page.until("document.querySelector('.tick.refused') !== null")
        page.until(shows(".problem", "does not allow this: publish"))
        page.picture("viewers-reader-only")
        page.close()
        page = browser.open(f"{closed.gateway_url}/studio?channel=talk", **DESKTOP)
        page.until(shows(".sign-in", "You are not let in"))
        give(page, token(reader))
        page.until(shows(".writing [role=alert]", "You can only watch here"))
        assert page.evaluate("document.querySelectorAll('.acts button:enabled').length") == 0
        page.close()

        home = browser.open(f"{closed.gateway_url}/", **DESKTOP)
        home.until(shows(".sign-in", "You are not let in"))
        give(home, token(reader))
        home.until("document.querySelector('.live') !== null")
        home.until("document.querySelector('.sign-in') === null")
        home.close()

        ops = browser.open(f"{closed.gateway_url}/ops", **DESKTOP)
        ops.until(shows(".trouble", "A token is needed"))
        in_all_lights(ops, "operators-not-let-in")
        give(ops, token(reader))
        ops.until(shows(".trouble", "does not allow admin"))
        give(ops, token(everything))
        ops.until("document.querySelectorAll('.role').length >= 4")
        ops.until("document.querySelector('.trouble') === null")
        ops.until(f"{ORIGIN} === 'Live'")
        ops.close()
