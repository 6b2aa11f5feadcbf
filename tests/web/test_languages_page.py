"""Every page of viewers and of who works here in every language: spoken, and within the smallest screen."""

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
        name = path.strip("/?").split("?")[0].replace("channel=tongues", "viewer")
        for device, size in SIZES.items():
            page.look(scheme="light", **size)
            page.picture(f"{name}-{language}-{device}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (language, device)
            assert page.axe() == [], (language, device)
        page.look(scheme="light", **PHONE)


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
