"""The map where its tile server fails: the grid is seen, nobody is told off, and the tiles come back."""

import base64
import contextlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from embedded.ports import find_free
from tests.pipeline import Pipeline, eventually, running
from tests.web.browser import Browser, Page
from tests.web.pages import DESKTOP, PHONE, post, shows, visit

pytestmark = [pytest.mark.servers, pytest.mark.browser, pytest.mark.timeout(600)]
PEOPLE = {"Ana": (12.52, -70.03), "Jorge": (12.5237, -70.026), "Oona": (12.5242, -70.022)}
#: A picture of one white point.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTUWdAAAAABJRU5ErkJggg=="
)
TILES = "document.querySelectorAll('.map img.leaflet-tile-loaded').length"
#: Pictures that the map shows and has not got.
BROKEN = (
    "[...document.querySelectorAll('.map img')].filter(tile => tile.complete && !tile.naturalWidth"
    " && getComputedStyle(tile).visibility === 'visible').length"
)
GRID = (
    "[...document.querySelectorAll('.grid-tile')]"
    ".filter(tile => getComputedStyle(tile).visibility === 'visible').length"
)
THANKED = "document.querySelector('.leaflet-control-attribution').textContent.includes('Friends of maps')"


class TileServer(ThreadingHTTPServer):
    """Answers with tiles, or with 500."""

    def __init__(self, port: int = 0) -> None:
        self.ill, self.asked = False, 0
        super().__init__(("127.0.0.1", port), _Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: TileServer

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(500 if self.server.ill else 200)
        self.send_header("Content-Type", "text/plain" if self.server.ill else "image/png")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(b"out of order" if self.server.ill else PNG)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def mapped(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A second gateway, which has map tiles from a server that may not be there, and people on its map."""
    given = {
        "TOUCHLINE_TOPICS_PREFIX": pipeline.name,
        "TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX": pipeline.name,
        "TOUCHLINE_GATEWAY_TILES_URL": f"http://127.0.0.1:{find_free()}/{{z}}/{{x}}/{{y}}.png",
        "TOUCHLINE_GATEWAY_TILES_ATTRIBUTION": "Friends of maps",
    }
    kafka, elastic = pipeline.settings.kafka.bootstrap_servers, pipeline.settings.elasticsearch.url
    places = [{"sender": who, "data": {"lat": lat, "lon": lon}} for who, (lat, lon) in PEOPLE.items()]
    post(pipeline, "location", "mapped", places)
    # With an edge of its own: edges take the pages of their gateway only.
    with running(kafka, elastic, tmp_path_factory.mktemp("mapped"), "edge", "gateway", **given) as gateway:
        yield gateway


@pytest.fixture
def tiles(mapped: Pipeline) -> Iterator[TileServer]:
    """The server that the gateway has tiles from."""
    with TileServer(urlsplit(mapped.settings.gateway.tiles_url).port or 0) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@contextlib.contextmanager
def map_on(browser: Browser, gateway: Pipeline, **options: Any) -> Iterator[Page]:
    """The page with its map in view."""
    page = visit(browser, gateway, "mapped", **options)
    page.evaluate("document.querySelector('.view-map').click()")
    page.until("document.querySelectorAll('.place').length === 3")
    yield page
    assert browser.complaints() == []
    page.close()


def everybody_is_there(page: Page) -> None:
    for who in PEOPLE:
        page.until(shows("[aria-label=Places]", who))
    box = page.evaluate(
        "[...document.querySelectorAll('.place')].map(dot => dot.getBoundingClientRect().width)"
    )
    assert len(box) == 3
    assert min(box) > 5
    page.until(f"{GRID} > 3 && {BROKEN} === 0 && {TILES} === 0")


def test_a_tile_server_that_breaks_gives_way_to_the_grid_and_comes_back(
    browser: Browser, mapped: Pipeline, tiles: TileServer
) -> None:
    tiles.ill = True
    with map_on(browser, mapped, **DESKTOP) as page:
        page.until(f"!{THANKED}")
        everybody_is_there(page)
        page.picture("viewers-map-without-tiles")
        assert tiles.asked > 0, "the policy lets the page ask it"

        def left_alone() -> bool:
            """However much the map is moved. What was on its way to the server comes in late."""
            asked = tiles.asked
            for way in ("out", "out", "out", "in", "in", "in"):
                page.click(f".leaflet-control-zoom-{way}")
                page.until("document.querySelectorAll('.leaflet-zoom-anim').length === 0")
            return tiles.asked == asked

        eventually("the server is left alone", left_alone, within=120)
        everybody_is_there(page)
        # The network came back, and the server is well: there are tiles again.
        tiles.ill = False
        page.evaluate("dispatchEvent(new Event('online'))")
        page.until(f"{TILES} > 3 && {THANKED} && {BROKEN} === 0")


def test_a_tile_server_that_nobody_listens_at_gives_way_to_the_grid(
    browser: Browser, mapped: Pipeline
) -> None:
    with map_on(browser, mapped, **PHONE) as page:
        page.until(f"!{THANKED}")
        everybody_is_there(page)
        page.picture("viewers-map-without-tiles-phone")


def test_pictures_come_from_the_tile_server_that_is_set_and_from_nowhere_else(
    browser: Browser, mapped: Pipeline, tiles: TileServer
) -> None:
    refused = (
        "new Promise(done => { const picture = new Image();"
        " document.addEventListener('securitypolicyviolation', event => done(event.violatedDirective));"
        " picture.onload = () => done('loaded'); picture.src = %s; })"
    )
    with TileServer() as stranger:
        serving = Thread(target=stranger.serve_forever)
        serving.start()
        with map_on(browser, mapped, **DESKTOP) as page:
            eventually("tiles are asked for", lambda: tiles.asked > 0)
            page.until(f"{TILES} > 3 && {THANKED}")
            asked = json.dumps(f"{tiles.url}/0/0/0.png"), json.dumps(f"{stranger.url}/0/0/0.png")
            assert [page.evaluate(refused % url) for url in asked] == ["loaded", "img-src"]
            assert stranger.asked == 0
            # This one was refused on purpose.
            assert all(stranger.url in complaint for complaint in browser.forget_complaints())
        stranger.shutdown()
        serving.join()
