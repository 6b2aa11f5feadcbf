"""The map of friends in two browsers, which see each other come and go; fences, paging, and the demo walk."""

import asyncio
import contextlib
import json

import pytest

from consumers.client.viewer import Viewer
from tests.nearby.test_nearby import LAT, LON, METRE
from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser, Page
from tests.web.pages import DESKTOP, PHONE, ask, shows

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
DOTS = "document.querySelectorAll('.near-map .place').length"
#: The map is there: it has a middle at which things can be done.
MAPPED = "document.querySelector('.near-map .leaflet-container') !== null"


def visit(browser: Browser, pipeline: Pipeline, user: str, size: dict[str, int]) -> Page:
    page = browser.open(f"{pipeline.gateway_url}/nearby?user={user}", **size)
    page.until("document.querySelector('.state')?.textContent.startsWith('Live')")
    page.until(MAPPED)
    return page


def be_at(page: Page, north_m: float) -> None:
    """Say on the page that one is so far north."""
    lat = round(LAT + north_m * METRE, 5)
    page.fill("#go", f"{lat}, {LON}")
    page.press("Enter")
    page.click("#say-middle")
    page.until(shows("#me", f"{lat:.5f}"))
    page.until(shows("#me", "just now"))


def befriended(pipeline: Pipeline, one: str, other: str, *sharing: str) -> None:
    """What is asked for over HTTP, where the page is not what is tested. The gateway knows of it then."""
    ask(pipeline, "PUT", f"/v1/friends/{one}", other)
    ask(pipeline, "PUT", f"/v1/friends/{other}", one)
    for user in sharing:
        ask(pipeline, "PUT", "/v1/sharing", user, {"on": True})

    def holds() -> bool:
        both = [
            {"user": friend, "state": "friends"}.items() <= row.items()
            for user, friend in ((one, other), (other, one))
            for row in ask(pipeline, "GET", "/v1/friends?limit=100", user)["friends"]
            if row["user"] == friend
        ]
        shared = [ask(pipeline, "GET", "/v1/sharing", user)["on"] for user in sharing]
        return len(both) == 2 and all(both) and all(shared)

    eventually(f"{one} and {other} are friends", holds)


def near(pipeline: Pipeline, user: str) -> list[str]:
    """Whom the edge knows to be near somebody, the nearest first, as a program asks for it."""

    async def ask_edge() -> list[str]:
        async with Viewer(pipeline.edge_url, user=user) as viewer:
            page = await viewer.request({"op": "nearby", "lat": LAT, "lon": LON, "limit": 100})
            return [friend["user"] for friend in page["friends"]]

    return asyncio.run(ask_edge())


def say_until(says: Page, sees: Page, script: str) -> None:
    """Say again where one is until the other's page shows it.

    Workers and edges hear of friends, of fences and of consent a moment after the gateway, and a place that
    was judged before tells nothing of them.
    """

    def shown() -> bool:
        says.click("#say-middle")
        with contextlib.suppress(AssertionError):
            return bool(sees.until(script, within=2))
        return False

    eventually(script, shown)


def choose(page: Page, radius: str) -> None:
    page.evaluate(
        f"(() => {{ const one = document.querySelector('#radius'); one.value = {json.dumps(radius)};"
        " one.dispatchEvent(new Event('change', { bubbles: true })); })()"
    )


def test_two_browsers_see_each_other_come_and_move(browser: Browser, pipeline: Pipeline) -> None:
    ana, bob = visit(browser, pipeline, "nora", DESKTOP), visit(browser, pipeline, "omar", PHONE)
    for page in (ana, bob):
        page.until(shows(".seen", "Nobody sees where you are"))
        page.until(shows("#nobody", "Say where you are"))
    # One asks, the other one says yes.
    ana.fill("#ask", "omar")
    ana.press("Enter")
    ana.until(shows("#asked", "omar"))
    bob.until("document.querySelector('[data-yes=nora]') !== null")
    bob.click("[data-yes=nora]")
    for page, other in ((ana, "omar"), (bob, "nora")):
        page.until(shows("#friends", other))
    # Friends, and not seen before they agree to it.
    be_at(ana, 0)
    be_at(bob, 300)
    for page in (ana, bob):
        page.until(shows("#nobody", "No friend who can be seen is near"))
    bob.click("#share")
    bob.until(shows(".seen", "Your one friend sees where you are"))
    bob.until(shows(".seen", "Nobody else does."))
    ana.until(shows("#near", "omar"))
    ana.until(shows("#near .far", "300 m"))
    ana.until(f"{DOTS} === 1")
    assert bob.evaluate("document.querySelector('#near')") is None, "who does not share is not seen"
    ana.click("#share")
    bob.until(shows("#near .far", "300 m"))
    # Whoever moves is seen to move, on both screens.
    be_at(bob, 700)
    for page in (ana, bob):
        page.until(shows("#near .far", "700 m"))
    # Those who come later to the page find the same.
    again = visit(browser, pipeline, "nora", PHONE)
    again.until(shows("#near .far", "700 m"))
    again.until(shows(".seen", "Your one friend sees where you are"))
    # The friendship ends.
    ana.click("[data-end=omar]")
    for page in (ana, bob):
        page.until("document.querySelector('#friends') === null")
        page.until("document.querySelector('#near') === null")
    ana.until(f"{DOTS} === 0")
    assert browser.complaints() == []


def test_they_go_and_a_fence_tells_of_it(browser: Browser, pipeline: Pipeline) -> None:
    befriended(pipeline, "uma", "vito", "vito")
    ana, bob = visit(browser, pipeline, "uma", DESKTOP), visit(browser, pipeline, "vito", PHONE)
    be_at(ana, 0)
    ana.fill("#fence", "umas-home")
    ana.click("#fence-round")
    ana.until(shows("#fences", "Nobody is inside"))
    ana.until("document.querySelectorAll('.near-map .fence').length === 1")
    be_at(bob, 50)
    say_until(bob, ana, shows("#fences", "Inside: vito"))
    ana.until("document.querySelectorAll('.near-map .fence.busy').length === 1")
    ana.until(shows("#near", "vito"))
    for scheme in ("light", "dark"):
        for device, size in (("desktop", DESKTOP), ("phone", PHONE)):
            ana.look(scheme=scheme, **size)
            ana.picture(f"nearby-{device}-{scheme}")
            assert ana.axe() == [], f"nearby {device} {scheme}"
    ana.look(scheme="light", **DESKTOP)
    # Out of the radius, and back.
    choose(ana, "500m")
    be_at(bob, 900)
    ana.until(shows("#nobody", "No friend who can be seen is near"))
    ana.until(shows("#fences .last", "vito left"))
    be_at(bob, 100)
    ana.until(shows("#near", "vito"))
    # Consent is taken back: gone at once, and what was before is forgotten.
    bob.click("#share")
    bob.until(shows(".seen", "Nobody sees where you are"))
    ana.until(shows("#nobody", "No friend who can be seen is near"))
    ana.until(f"{DOTS} === 0")
    ana.until(shows("#fences .last", "vito is seen no more"))
    bob.click("#share")
    bob.until(shows(".seen", "forgotten"))
    be_at(bob, 120)
    say_until(bob, ana, shows("#near", "vito"))
    ana.click("[data-remove=umas-home]")
    ana.until("document.querySelectorAll('.near-map .fence').length === 0")
    assert bob.axe() == []
    assert browser.complaints() == []


def test_a_fence_is_drawn_by_its_corners_and_what_is_refused_is_told(
    browser: Browser, pipeline: Pipeline
) -> None:
    page = visit(browser, pipeline, "pia", DESKTOP)
    page.fill("#fence", "pias park")
    page.click("#fence-round")
    assert page.evaluate("document.querySelector('#fence').matches(':invalid')")
    page.fill("#fence", "pias-park")
    for north, east in ((0, 0), (0, 200), (200, 100)):
        page.fill("#go", f"{LAT + north * METRE}, {LON + east * METRE}")
        page.press("Enter")
        page.click("#corner")
    page.until(shows(".new-fence", "3 corners"))
    page.click("#fence-corners")
    page.until(shows("#fences", "inside 3 corners"))
    (fence,) = ask(pipeline, "GET", "/v1/fences", "pia")["fences"]
    assert fence["polygon"] == [
        [pytest.approx(LAT + north * METRE, abs=1e-5), pytest.approx(LON + east * METRE, abs=1e-5)]
        for north, east in ((0, 0), (0, 200), (200, 100))
    ]
    other = visit(browser, pipeline, "quentin", PHONE)
    other.fill("#fence", "pias-park")
    other.click("#fence-round")
    other.until(shows("[role=alert]", "of somebody else"))
    other.fill("#go", "nowhere")
    other.press("Enter")
    other.until(shows("[role=alert]", "That is no place"))
    nobody = browser.open(f"{pipeline.gateway_url}/nearby", **PHONE)
    nobody.until(shows(".side", "Who are you?"))
    assert nobody.axe() == []
    nobody.fill("#user", "quentin")
    nobody.press("Enter")
    nobody.until(shows(".seen", "Nobody sees where you are"))


def test_the_demo_walks(browser: Browser, pipeline: Pipeline) -> None:
    page = visit(browser, pipeline, "rosa", PHONE)
    page.click("#demo")
    page.until("document.querySelectorAll('#near .row-name').length >= 10")
    page.until(f"{DOTS} >= 10")
    page.until(shows("#near time", "just now"))
    places = "[...document.querySelectorAll('.near-map .place')].map(dot => dot.getAttribute('d')).join()"
    page.until(f"{places} !== {json.dumps(page.evaluate(places))}")
    page.picture("nearby-demo-phone")
    assert browser.complaints() == []


def test_the_list_comes_page_by_page(browser: Browser, pipeline: Pipeline) -> None:
    friends = [f"friend{n}-of-sven" for n in range(23)]
    for n, friend in enumerate(friends):
        befriended(pipeline, "sven", friend, friend)
        place = {"data": {"lat": LAT + (100 + 10 * n) * METRE, "lon": LON}}
        ask(pipeline, "POST", f"/v1/streams/location/user-{friend}/events?wait=accepted", friend, place)
    # What comes later is pushed beside the first page.
    eventually("the edge knows where all of them are", lambda: near(pipeline, "sven") == friends)
    page = visit(browser, pipeline, "sven", PHONE)
    be_at(page, 0)
    names = "[...document.querySelectorAll('#near .row-name')].map(name => name.textContent)"
    page.until(f"{names}.length === 20")
    assert page.evaluate(names) == friends[:20], "nearest first"
    page.click("#more-near")
    page.until(f"{names}.length === 23")
    assert page.evaluate(names) == friends
    page.until("document.querySelector('#more-near') === null")
    page.until("document.querySelectorAll('#friends li').length === 20")
    page.until(f"{DOTS} === 23")
    assert page.axe() == []
    assert browser.complaints() == []
