"""The match centre in a real browser: goals, corrections, line-ups, the clock; the map; names; and phones."""

import json
import urllib.request
from typing import Any

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser, Page
from tests.web.pages import DESKTOP, PHONE, ask, post, say, send, shows, visit

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
SMALL = {"width": 320, "height": 640}
ACROSS = {"width": 844, "height": 390}
FITS = "document.documentElement.scrollWidth <= innerWidth"
KICK_OFF = {"type": "kick_off", "data": {"home": "Aruba", "away": "Malta", "minute": 0}}
#: What notifications the page has shown: they cannot be seen from within a browser without a screen.
NOTED = (
    "(() => { const shown = window.shown = []; const Real = Notification;"
    " window.Notification = class extends Real {"
    "  constructor(title, how) { super(title, how); shown.push([title, how.body]); } }; })()"
)
#: A banner goes away after some seconds: what was on one is kept.
BANNERS = (
    "(() => { const shown = window.banners = [];"
    " const look = () => shown.push(document.querySelector('.goal-banner')?.textContent ?? '');"
    " const all = { childList: true, subtree: true, characterData: true };"
    " new MutationObserver(look).observe(document.body, all); })()"
)
LABELS = (
    "[...document.querySelectorAll('.leaflet-tooltip:not(.covered)')].map(label => label.textContent).sort()"
)


def told(page: Page) -> Any:
    return page.evaluate(
        "[...document.querySelectorAll('.item')].map(item => [item.querySelector('.minute').textContent,"
        " item.querySelector('.item-title bdi').textContent,"
        " item.querySelector('.item-score')?.textContent ?? ''])"
    )


def score(text: str) -> str:
    return f"document.querySelector('.score')?.textContent === {json.dumps(text)}"


def bannered(text: str) -> str:
    return f"window.banners.some(banner => banner.includes({json.dumps(text)}))"


def newest(pipeline: Pipeline, channel: str, type_: str) -> str:
    """The id of the newest broadcast of a type."""
    with urllib.request.urlopen(
        f"{pipeline.gateway_url}/v1/streams/broadcast/{channel}/events", timeout=20
    ) as answer:
        return str([event["id"] for event in json.load(answer)["events"] if event["type"] == type_][-1])


def test_goals_are_counted_corrected_and_told_wherever_one_looks(
    browser: Browser, pipeline: Pipeline
) -> None:
    page = visit(browser, pipeline, "match", **DESKTOP, permissions=["notifications"])
    page.evaluate(NOTED)
    page.evaluate(BANNERS)
    post(pipeline, "broadcast", "match", [KICK_OFF, {"type": "goal_kick", "data": {"team": "home"}}])
    page.until("document.querySelectorAll('.item').length === 2")
    page.click("#tell-goals")
    page.until("document.querySelector('#tell-goals').ariaPressed === 'true'")
    # The page is out of sight: a note on the screen, and the score in the tab.
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
    first = {"type": "goal", "data": {"team": "home", "player": "Tromp", "minute": "45+2"}}
    post(pipeline, "broadcast", "match", [first])
    page.until("document.title === 'Aruba 1–0 Malta · Touchline'")
    page.until("window.shown.length === 1")
    assert page.evaluate("window.shown[0]") == ["Goal! Aruba 1–0 Malta", "45+2′ · Goal: Tromp (Aruba)"]
    page.evaluate("delete document.hidden")
    page.until(score("Aruba10Malta"))
    page.until("document.querySelector('.clock').textContent === '45+2′'")
    page.until(bannered("1–0"))
    page.picture("viewers-goal-desktop")
    goal = newest(pipeline, "match", "goal")
    post(
        pipeline,
        "broadcast",
        "match",
        [
            {"type": "goal", "data": {"team": "away", "minute": 50}},
            {"type": "retract", "data": {"target": goal}},
        ],
    )
    page.until(score("Aruba01Malta"))
    assert told(page) == [
        ["50′", "Goal (Malta)", "0–1"],
        ["45+2′", "Goal taken back", ""],
        [told(page)[2][0], "Goal kick (Aruba)", ""],
        ["0′", "Kick off", ""],
    ]
    assert page.evaluate("document.title") == "Aruba 0–1 Malta · Touchline"
    # An edit says otherwise what was said.
    edit = {"target": newest(pipeline, "match", "goal"), "team": "home", "text": "Off the post."}
    post(pipeline, "broadcast", "match", [{"type": "edit", "data": edit}])
    page.until(score("Aruba10Malta"))
    page.until(shows(".item", "Off the post."))
    assert told(page)[0] == ["50′", "Goal (Aruba)", "1–0"]
    # What matters, alone.
    page.click("#key-moments")
    page.until("document.querySelectorAll('.item').length === 2")
    page.click("#key-moments")
    # The clock stands when the match does, whatever is told afterwards.
    late = [
        {"type": "full_time", "data": {"minute": 90}},
        {"type": "note", "data": {"minute": 91, "text": "Thanks."}},
    ]
    post(pipeline, "broadcast", "match", late)
    page.until(shows(".item", "Thanks."))
    page.until("document.querySelector('.clock').textContent === 'Full time'")
    page.close()


def test_line_ups_and_statistics_are_shown_where_they_are_told(browser: Browser, pipeline: Pipeline) -> None:
    assert send(pipeline, "POST", "/v1/demo", {"channel": "sheet", "seconds": 5}) == 202
    page = visit(browser, pipeline, "sheet", **DESKTOP)
    page.until("document.querySelector('.clock')?.textContent === 'Full time'")
    for part, text in (("lineups", "M. Tromp"), ("figures", "Possession")):
        page.click(f"[data-part={part}]")
        page.until(shows(".pane-match", text))
        for scheme in ("light", "dark"):
            for device, size in (("desktop", DESKTOP), ("phone", PHONE), ("small", SMALL)):
                page.look(scheme=scheme, **size)
                page.picture(f"viewers-{part}-{device}-{scheme}")
                assert page.axe() == [], f"{part} {device} {scheme}"
                assert page.evaluate(FITS), f"{part} {device}"
        page.look(scheme="light", **DESKTOP)
    figures = page.evaluate("document.querySelector('.figures tbody tr').textContent")
    assert figures == "41Possession59"
    page.close()


def test_a_phone_counts_what_is_not_in_view_and_can_be_held_across(
    browser: Browser, pipeline: Pipeline
) -> None:
    post(pipeline, "broadcast", "pocket", [KICK_OFF])
    page = visit(browser, pipeline, "pocket", **PHONE)
    page.until("document.querySelectorAll('.item').length === 1")
    page.evaluate(BANNERS)
    say(pipeline, "pocket", "one", "two")
    page.until(shows(".view-chat .badge", "2"))
    page.click(".view-chat")
    page.until("document.querySelector('.view-chat .badge') === null")
    post(pipeline, "broadcast", "pocket", [{"type": "goal", "data": {"score": [0, 1], "player": "Zoe"}}])
    page.until(bannered("0–1"))
    page.until(shows(".view-match .badge", "1"))
    page.picture("viewers-goal-phone")
    assert page.evaluate("document.querySelector('.board').clientWidth === innerWidth")
    for name, size in (("across", ACROSS), ("small", SMALL)):
        for scheme in ("light", "dark"):
            page.look(scheme=scheme, **size)
            page.picture(f"viewers-{name}-{scheme}")
            assert page.axe() == [], name
            assert page.evaluate(FITS), name
    page.look(scheme="light", **ACROSS)
    room = page.evaluate("document.querySelector('.list').clientHeight / innerHeight")
    assert room > 0.25, f"only {room:.0%} of a phone that is held across is left for what is said"
    page.close()


def test_twenty_movers_keep_their_names_and_those_who_are_gone_are_told_apart(
    browser: Browser, pipeline: Pipeline
) -> None:
    def at(number: int, type_: str = "position") -> dict[str, Any]:
        place = {"lat": 12.5 + number / 20, "lon": -70 + number % 2 / 20}
        return {"sender": f"mover-{number}", "type": type_, "data": place}

    post(pipeline, "location", "movers", [at(number) for number in range(20)])
    page = visit(browser, pipeline, "movers", **DESKTOP)
    page.until("document.querySelectorAll('.place').length === 20")
    page.until(f"{LABELS}.length === 20")
    page.picture("viewers-map-names")
    # Moved away from, and all of them again.
    for _ in range(3):
        page.click(".leaflet-control-zoom-in")
        page.until("document.querySelectorAll('.leaflet-zoom-anim').length === 0")
    page.until(f"{LABELS}.length < 20")
    page.click("#fit-all")
    page.until(f"{LABELS}.length === 20")
    # One says that their way has ended; the others have said nothing for long.
    post(pipeline, "location", "movers", [at(0, "left")])
    page.until("document.querySelectorAll('.place').length === 19")
    page.evaluate("(() => { const now = Date.now; Date.now = () => now() + 720_000; })()")
    post(pipeline, "location", "movers", [at(1)])
    page.until("document.querySelectorAll('.place.gone').length >= 18")
    page.until(
        "[...document.querySelectorAll('.leaflet-tooltip')]"
        ".some(name => /mover-2, 1[2-6] min\\. ago/.test(name.textContent))"
    )
    page.click(".whereabouts summary")
    page.until("document.querySelectorAll('.whereabouts [data-seen=gone]').length >= 18")
    page.picture("viewers-map-last-seen")
    assert page.axe() == []
    page.close()


def test_names_are_what_they_are(browser: Browser, pipeline: Pipeline) -> None:
    page = visit(browser, pipeline, "masks", **DESKTOP)
    impostor = browser.open(f"{pipeline.gateway_url}/?channel=masks", **PHONE)
    impostor.until("document.querySelector('.state').textContent === 'Live, caught up'")
    impostor.click("[data-name=chat]")
    impostor.fill("#own-name", "ana")
    impostor.fill("#message", "I am she")
    impostor.press("Enter")
    odd = [
        {"sender": sender, "data": {"text": f"said by {number}"}}
        for number, sender in enumerate(("ana", "an\u200ba", "an\u0430", "\u202eana"))
    ]
    post(pipeline, "chat", "masks", odd)
    page.until("document.querySelectorAll('.line').length === 5")
    names = page.evaluate(
        "[...document.querySelectorAll('.line-head')].map(head => [head.querySelector('.name').textContent,"
        " head.querySelector('.guest') !== null, head.querySelector('.odd')?.textContent ?? ''])"
    )
    assert sorted(map(tuple, names)) == sorted(
        [
            ("ana", True, ""),
            ("ana", False, ""),
            ("an[U+200B]a", False, "hidden characters"),
            ("an\u0430", False, "mixed letters"),
            ("[U+202E]ana", False, "hidden characters"),
        ]
    )
    page.picture("viewers-names")
    assert page.axe() == []
    page.close()
    impostor.close()


def test_long_names_of_facets_stay_within_their_pane(browser: Browser, pipeline: Pipeline) -> None:
    long = "a" * 100
    for channel in (f"{long}-1", f"{long}-2"):
        post(pipeline, "chat", channel, [{"sender": "b" * 120, "data": {"text": "chipmunk"}}])
    eventually("both are found", lambda: ask(pipeline, "GET", "/v1/search?q=chipmunk", None)["total"] == 2)
    page = visit(browser, pipeline, f"{long}-1&q=chipmunk&all=1", **DESKTOP)
    page.click("[data-name=search]")
    page.until("document.querySelectorAll('.facet[aria-label=Channel] button').length === 2")
    for size in (DESKTOP, SMALL):
        page.look(scheme="light", **size)
        page.evaluate("document.querySelector('.view-search').click()")
        wide = page.evaluate(
            "(() => { const pane = document.querySelector('.pane-search').getBoundingClientRect();"
            " return [...document.querySelectorAll('.facet button')]"
            ".filter(chip => chip.getBoundingClientRect().right > pane.right).length; })()"
        )
        assert wide == 0
        assert page.evaluate(FITS)
    page.picture("viewers-facets-small")
    page.close()
