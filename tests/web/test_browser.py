"""The pages in a real browser, on the real pipeline: networks break, edges die, nothing is lost."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline import Pipeline, eventually, running
from tests.web.browser import Browser, Page, chromium
from tests.web.test_javascript import load_build

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(300)]
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
MATCH = Path(__file__).parent / "match.json"
CAUGHT_UP = "document.querySelector('.state').textContent === 'Live, caught up'"
HOSTILE = [
    "<img src=x onerror=\"document.title='taken'\">",
    "<script>document.title='taken'</script>",
    "\u202eright to left\u2066",
    "Z" + "\u0301" * 10_000,
    "👩‍👩‍👧‍👦🏴‍☠️",
    "[a](javascript:alert(1)) &lt;b&gt; ${alert(1)}",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = chromium()
    if executable is None:
        pytest.skip("no Chromium on this machine (Debian and Ubuntu: apt-get install chromium)")
    build = load_build()
    if not (build.install() and build.build()):
        pytest.skip("the pages could not be built: is the npm registry in reach?")
    with Browser(build.NODE, executable) as browser:
        yield browser


@pytest.fixture(scope="module")
def pipeline(
    browser: Browser, kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs = tmp_path_factory.mktemp("logs")
    roles = ("stream", "edge", "index", "gateway")
    with running(kafka_servers, elasticsearch_url, logs, *roles, TOUCHLINE_EDGE_DRAIN_S="1") as pipeline:
        yield pipeline


def post(pipeline: Pipeline, kind: str, channel: str, events: list[dict[str, Any]]) -> None:
    request = urllib.request.Request(
        f"{pipeline.gateway_url}/v1/streams/{kind}/{channel}/events",
        data=json.dumps(events).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 202


def say(pipeline: Pipeline, channel: str, *texts: str) -> None:
    post(pipeline, "chat", channel, [{"sender": "ana", "data": {"text": text}} for text in texts])


def visit(browser: Browser, pipeline: Pipeline, channel: str, **options: Any) -> Page:
    page = browser.open(f"{pipeline.gateway_url}/?channel={channel}", **options)
    page.until(CAUGHT_UP)
    return page


def reads(text: str) -> str:
    """JavaScript: whether a chat line has this text."""
    return (
        f"[...document.querySelectorAll('.line-text')].some(line => line.textContent === {json.dumps(text)})"
    )


def write(page: Page, text: str) -> None:
    page.fill("#message", text)
    page.press("Enter")


def texts_of_everything(page: Page) -> list[str]:
    """All texts of the chat, by scrolling from its beginning to its end."""
    page.until(
        "document.querySelector('.beginning').textContent.includes('begins')"
        " && document.querySelector('.rows').style.paddingTop === '0px'"
        " || void (document.querySelector('.list').scrollTop = 0)"
    )
    found: dict[str, str] = {}
    while True:
        found |= dict(
            page.evaluate(
                "[...document.querySelectorAll('[data-key]')].map(row =>"
                " [row.dataset.key, row.querySelector('.line-text')?.textContent ?? ''])"
            )
        )
        before = page.evaluate("document.querySelector('.list').scrollTop")
        page.evaluate("document.querySelector('.list').scrollBy(0, 500)")
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if page.evaluate("document.querySelector('.list').scrollTop") == before:
            return list(found.values())


def test_two_people_chat_with_each_other(browser: Browser, pipeline: Pipeline) -> None:
    first, second = (visit(browser, pipeline, "talk") for _ in range(2))
    first.fill("#own-name", "Ana")
    write(first, "hello from here")
    second.until(reads("hello from here"))
    second.until("document.querySelector('.name').textContent === 'Ana'")
    write(second, "hello back")
    first.until(reads("hello back"))
    first.until("document.querySelector('.mine .tick.delivered') !== null")
    assert first.evaluate("document.querySelectorAll('.line').length") == 2, "one's own line is there once"
    first.until("document.querySelector('.viewers').textContent === '2 viewers'")
    first.close()
    second.close()


def test_a_network_that_is_cut_and_restored_costs_nothing(browser: Browser, pipeline: Pipeline) -> None:
    page = visit(browser, pipeline, "cut")
    say(pipeline, "cut", "before")
    page.until(reads("before"))
    page.offline(True)
    page.until("document.querySelector('.state').textContent === 'No network' || navigator.onLine === false")
    say(pipeline, "cut", *(f"meanwhile {n}" for n in range(50)))
    page.offline(False)
    page.until(reads("meanwhile 49"))
    page.until(CAUGHT_UP)
    assert texts_of_everything(page) == ["before", *(f"meanwhile {n}" for n in range(50))]
    page.close()


def test_an_edge_that_is_killed_costs_nothing(browser: Browser, pipeline: Pipeline) -> None:
    page = visit(browser, pipeline, "killed")
    say(pipeline, "killed", "before")
    page.until(reads("before"))
    pipeline.kill("edge")
    page.until("/^Back in|^Connecting/.test(document.querySelector('.state').textContent)")
    write(page, "written without an edge")
    say(pipeline, "killed", *(f"meanwhile {n}" for n in range(20)))
    pipeline.start("edge")
    page.until(reads("written without an edge"))
    page.until("document.querySelector('.mine .tick.delivered') !== null")
    page.until(CAUGHT_UP)
    everything = texts_of_everything(page)
    assert everything == ["before", *(f"meanwhile {n}" for n in range(20)), "written without an edge"]
    page.close()


def test_hostile_texts_are_texts(browser: Browser, pipeline: Pipeline) -> None:
    image, script = HOSTILE[:2]
    goal = {"text": image, "home": script, "score": [1, 0], "player": image}
    post(pipeline, "broadcast", "hostile", [{"type": "goal", "data": goal}])
    page = visit(browser, pipeline, "hostile")
    say(pipeline, "hostile", *HOSTILE, "the last")
    page.until(reads("the last"))
    for text in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[4], HOSTILE[5]):
        assert page.evaluate(reads(text)), text
    assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert page.evaluate("document.title") == "hostile · Touchline"
    tall = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.line')].map(line => line.offsetHeight))"
    )
    assert tall < 80, "marks do not pile up over the lines around"
    assert browser.complaints() == []
    page.close()


def test_five_thousand_messages_scroll(browser: Browser, pipeline: Pipeline) -> None:
    for start in range(0, 5000, 1000):
        say(pipeline, "long", *(f"message {n}" for n in range(start, start + 1000)))
    page = visit(browser, pipeline, "long")
    page.until(reads("message 4999"))
    # Go back to the beginning, page by page, as somebody who keeps scrolling up does.
    page.evaluate(
        "new Promise(done => { const list = document.querySelector('.list'); const step = () => {"
        " if (document.querySelector('.beginning').textContent.includes('begins')) return done();"
        " list.scrollTop = 0; setTimeout(step, 20); }; step(); })"
    )
    page.evaluate("document.querySelector('.list').scrollTop = 0")
    page.until(reads("message 0"))
    assert page.evaluate("document.querySelectorAll('.line').length") < 120, "only what is in view is drawn"
    before = page.cpu()
    page.evaluate(
        "new Promise(done => { let frames = 0; const step = () => {"
        " if (++frames > 120) return done(); document.querySelector('.list').scrollBy(0, 2000);"
        " requestAnimationFrame(step); }; requestAnimationFrame(step); })"
    )
    each = (page.cpu() - before) / 120
    # Ten times what an idle machine needs: what is drawn is bounded above, and this finds a list that is not.
    assert each < 0.15, f"a frame in which every row changes costs {each * 1000:.1f} ms"
    page.click(".jump")
    page.until(reads("message 4999"))
    page.close()


def test_a_search_leads_to_the_message_in_its_context(browser: Browser, pipeline: Pipeline) -> None:
    say(
        pipeline,
        "found",
        *(f"early {n}" for n in range(150)),
        "the needle itself",
        *(f"late {n}" for n in range(400)),
    )
    page = visit(browser, pipeline, "found")
    page.until(reads("late 399"))
    page.press("/")
    page.until("document.activeElement?.id === 'q'")

    def found() -> bool:
        page.fill("#q", "")
        page.fill("#q", "needle")
        page.until("/result|Nothing/.test(document.querySelector('.found-count')?.textContent ?? '')")
        return bool(page.evaluate("document.querySelector('.hit mark') !== null"))

    eventually("the message is found", found)
    assert page.evaluate("document.querySelector('.hit mark').textContent") == "needle"
    page.click(".hit-open")
    page.until("document.querySelector('.found .line-text')?.textContent === 'the needle itself'")
    page.until(reads("early 149"))
    page.click(".jump")
    page.until(reads("late 399"))
    page.fill("#q", "nothingofthekind")
    page.until("document.querySelector('.found-count')?.textContent.startsWith('Nothing was found')")
    page.close()


def test_five_hundred_messages_a_second_leave_the_page_at_ease(browser: Browser, pipeline: Pipeline) -> None:
    page = visit(browser, pipeline, "busy")
    before = page.cpu()
    for second in range(4):
        say(pipeline, "busy", *(f"busy {second * 500 + n}" for n in range(500)))
    page.until(reads("busy 1999"))
    used = page.cpu() - before
    assert used < 2.0, f"four seconds' messages keep the main thread busy for {used:.2f} s"
    page.close()


def test_nothing_serious_is_found_by_axe_and_pictures_are_kept(browser: Browser, pipeline: Pipeline) -> None:
    fill_a_match(pipeline)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        for device, width, height in (("desktop", 1440, 900), ("phone", 390, 844)):
            page = visit(browser, pipeline, "wc26-final", scheme=scheme, width=width, height=height)
            page.until("document.querySelectorAll('.item').length > 5")
            if device == "desktop":
                page.until("document.querySelectorAll('.place').length > 3")
            assert page.axe() == [], f"{scheme} {device}"
            page.screenshot(SCREENSHOTS / f"viewers-{device}-{scheme}.png")
            page.close()
        page = browser.open(f"{pipeline.gateway_url}/ops", scheme=scheme, width=1440, height=1000)
        page.until("document.querySelectorAll('.role').length >= 4")
        page.until("document.querySelectorAll('.chart strong').length > 3")
        assert page.axe() == [], f"ops {scheme}"
        page.screenshot(SCREENSHOTS / f"operators-{scheme}.png")
        page.close()
    assert browser.complaints() == []


def test_the_demo_match_makes_the_page_live(browser: Browser, pipeline: Pipeline) -> None:
    page = visit(browser, pipeline, "demo")
    page.until("document.querySelector('.pane-match .button')?.textContent === 'Start the demo match'")
    page.click(".pane-match .button")
    page.until("document.querySelector('.score')?.textContent === 'Aruba00Nova Scotia'")
    page.until("document.querySelectorAll('.line').length > 3")
    page.until("document.querySelectorAll('.place').length > 5")
    page.close()


def test_the_operators_page_drains_an_edge_after_asking(browser: Browser, pipeline: Pipeline) -> None:
    viewer = visit(browser, pipeline, "drained")
    page = browser.open(f"{pipeline.gateway_url}/ops")
    page.click("[aria-label='Drain edge']")
    page.click("dialog[open] .button:not(.plain)")
    viewer.until("document.querySelector('.state').textContent !== 'Live, caught up'")
    pipeline.kill("edge")
    pipeline.start("edge")
    viewer.until(CAUGHT_UP)
    viewer.close()
    page.close()


def test_the_operators_page_says_which_role_is_ill(browser: Browser, pipeline: Pipeline) -> None:
    page = browser.open(f"{pipeline.gateway_url}/ops")
    page.until("document.querySelector('.verdict')?.textContent === 'All is well'")
    pipeline.kill("index")
    page.until("document.querySelector('.verdict').textContent === 'index needs a look'")
    pipeline.start("index")
    page.until("document.querySelector('.verdict').textContent === 'All is well'")
    page.close()


def fill_a_match(pipeline: Pipeline) -> None:
    """What the pictures show."""
    for kind, events in json.loads(MATCH.read_text("utf-8")).items():
        post(pipeline, kind, "wc26-final", events)
