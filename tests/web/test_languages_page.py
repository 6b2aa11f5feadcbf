"""Every page of viewers and of who works here in every language: spoken, and within the smallest screen."""

import json
from pathlib import Path
from typing import Final

import pytest

from tests.pipeline import Pipeline, eventually
from tests.web.browser import Browser
from tests.web.pages import DESKTOP, PHONE, ask, line_of, press_in, reads, say, shows, visit

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]

SIZES: Final = {"desktop": DESKTOP, "phone": PHONE, "small": {"width": 320, "height": 640}}
#: Page -> where it says something by which one knows that it is there, in Spanish and in Korean.
PAGES: Final = {
    "/?channel=tongues": ("#chat-title", "Chat", "채팅"),
    "/moderate?channel=tongues": ("#queue-title", "Denunciado", "신고됨"),
    "/studio?channel=tongues": (".studio-title", "Estudio", "스튜디오"),
    "/search?q=hello": (".found-count", "resultado", "결과"),
    "/nearby?user=ana": ("#near-title", "Amigos cerca de ti", "가까운 친구"),
    "/ops": (".verdict.good", "Todo va bien", "모두 정상"),
    "/ops#records": (".card-table h2", "Registros", "레코드"),
    "/ops#alerts": (".card-table h2", "Alertas", "알림"),
    "/ops#audit": (".card-table h2", "Órdenes", "명령"),
}


@pytest.mark.parametrize("path", PAGES)
def test_it_speaks_each_language_on_every_screen(browser: Browser, pipeline: Pipeline, path: str) -> None:
    say(pipeline, "tongues", "hello there")
    if path.startswith("/search"):  # it asks once
        eventually("it is found", lambda: ask(pipeline, "GET", "/v1/search?q=hello", None)["total"])
    page = browser.open(f"{pipeline.gateway_url}{path}", **PHONE)
    selector, *spoken = PAGES[path]
    for language, words in zip(("es", "ko"), spoken, strict=True):
        page.evaluate(f"localStorage.setItem('touchline.language', '{language}'); location.reload()")
        page.until(f"document.documentElement.lang === '{language}'")
        page.until(shows(selector, words))
        name = path.strip("/?").split("?")[0].replace("channel=tongues", "viewer").replace("#", "-")
        for device, size in SIZES.items():
            page.look(scheme="light", **size)
            page.picture(f"{name}-{language}-{device}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (language, device)
            assert page.axe() == [], (language, device)
        page.look(scheme="light", **PHONE)


#: All texts of a page: what is seen, and what is read out.
TEXTS: Final = (
    "(() => { const found = []; const all = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);"
    " while (all.nextNode()) found.push(all.currentNode.data.trim());"
    " for (const name of ['aria-label', 'title', 'placeholder'])"
    " for (const one of document.querySelectorAll(`[${name}]`)) found.push(one.getAttribute(name));"
    " return found; })()"
)


@pytest.mark.parametrize("language", ["es", "ko"])
def test_operators_have_all_of_it_in_their_language(
    browser: Browser, pipeline: Pipeline, language: str
) -> None:
    """Nothing that the language has a word for is English, wherever one goes."""
    file = Path(__file__).parents[2] / "web" / "src" / "languages" / f"{language}.json"
    words = json.loads(file.read_text(encoding="utf-8"))
    known = {key: said for key, said in words.items() if isinstance(said, str)}
    english = known.keys() - known.values()
    say(pipeline, "tongues", "hello there")
    page = browser.open(f"{pipeline.gateway_url}/ops", **DESKTOP)
    page.evaluate(f"localStorage.setItem('touchline.language', '{language}'); location.reload()")
    page.until(shows(".verdict.good", words["All is well"]))
    page.until(shows(".origin.live", words["Live"]))
    page.until('document.querySelector(".folded .deeds > button:nth-of-type(2)") !== null')

    def left() -> set[str]:
        return english & set(page.evaluate(TEXTS))

    assert left() == set()
    assert page.evaluate("document.title") == words["Touchline operations"]
    page.fill(".another input", "tongues")
    page.click(".another > button:nth-of-type(2)")
    page.until(shows("dialog[open] .setting .quiet", words["Whether only members may post chat."]))
    assert left() == set()
    page.picture(f"operators-settings-{language}")
    page.press("Escape")
    for view in ("records", "alerts", "audit"):
        page.click(f".views a[href='#{view}']")
        page.until("document.querySelector('main > .card-table') !== null")
        page.until("document.querySelector('[aria-busy]') === null")
        assert left() == set(), view


def test_a_room_is_moderated_in_spanish(browser: Browser, pipeline: Pipeline) -> None:
    """What is done is told in the reader's language, and others have theirs."""
    ask(pipeline, "POST", "/v1/rooms", "uma", {"room": "tongues-1", "name": "Estudio", "members": ["vik"]})
    ask(pipeline, "POST", "/v1/streams/chat/room-tongues-1/events", "vik", {"data": {"text": "hola"}})
    page = visit(browser, pipeline, "room-tongues-1&user=uma", **DESKTOP)
    page.evaluate("localStorage.setItem('touchline.language', 'es'); location.reload()")
    page.until(shows(".members summary", "2 miembros"))
    page.until(reads("hola"))
    page.until(f"(box => box && (box.open = true))({line_of('hola')}?.querySelector('.actions'))")
    press_in(page, line_of("hola"), "[data-do=mute]")
    page.until(shows(".actions-said", "vik está silenciado diez minutos."))
    assert page.evaluate("document.querySelector('#message').placeholder") == "Di algo"
