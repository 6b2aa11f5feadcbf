"""The gateway's pages: what is served, under which policy, and what one reads where nothing was built."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from gateway.pages import pages
from kernel.settings.reading import Auth, Edge, Gateway, Settings, load_settings


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build of the pages, as small as can be."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>viewers</title>")
    (tmp_path / "home.html").write_text("<!doctype html><title>all that is on</title>")
    (tmp_path / "ops.html").write_text("<!doctype html><title>operators</title>")
    (tmp_path / "nearby.html").write_text("<!doctype html><title>friends</title>")
    (tmp_path / "moderate.html").write_text("<!doctype html><title>desk</title>")
    (tmp_path / "studio.html").write_text("<!doctype html><title>producers</title>")
    (tmp_path / "search.html").write_text("<!doctype html><title>analysts</title>")
    (tmp_path / "assets" / "index-abc.js").write_text("export {};")
    (tmp_path / "secret").write_text("not to be had")
    monkeypatch.setattr(pages, "_BUILT", tmp_path)
    return tmp_path


@pytest.fixture
async def http(request: pytest.FixtureRequest) -> AsyncIterator[ClientSession]:
    settings: Settings = getattr(request, "param", Settings())
    app = web.Application()
    app.add_routes(pages.page_routes(settings))
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        yield session


async def test_the_pages_are_served_with_a_policy_that_allows_no_inline_script(
    built: Path, http: ClientSession
) -> None:
    for path, title in (
        ("/", "all that is on"),
        ("/?user=ana&q=goal", "all that is on"),
        ("/?channel=", "all that is on"),
        ("/?channel=final", "viewers"),
        ("/?channel=made%20up", "viewers"),
        ("/?stream=chat:final&at=7", "viewers"),
        ("/ops?channel=final", "operators"),
        ("/nearby", "friends"),
        ("/moderate", "desk"),
        ("/studio", "producers"),
        ("/search", "analysts"),
    ):
        async with http.get(path) as answer:
            assert answer.status == 200
            assert title in await answer.text()
            rules = answer.headers["Content-Security-Policy"].split("; ")
            assert "default-src 'none'" in rules
            assert "script-src 'self'" in rules
            assert "frame-ancestors 'none'" in rules
            assert not any("unsafe" in rule for rule in rules)
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-cache"


async def test_assets_are_kept_for_ever_and_nothing_else_is_reached(built: Path, http: ClientSession) -> None:
    async with http.get("/assets/index-abc.js") as answer:
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert "javascript" in answer.headers["Content-Type"]
    for path in ("/assets/..%2Fsecret", "/assets/../secret", "/assets/none.js"):
        async with http.get(path) as answer:
            assert answer.status == 404, path


async def test_without_a_build_there_is_a_page_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, http: ClientSession
) -> None:
    monkeypatch.setattr(pages, "_BUILT", tmp_path)
    async with http.get("/") as answer:
        assert answer.status == 503
        assert answer.content_type == "text/html"
        assert "make web" in await answer.text()


async def test_the_page_is_told_where_the_edge_is_on_the_host_that_it_came_from(http: ClientSession) -> None:
    async with http.get("/v1/page", headers={"Host": "127.0.0.2:18080"}) as answer:
        config = await answer.json()
    assert config["edges"] == ["ws://127.0.0.2:18081/v1/ws"]
    assert config["tiles"] is None


@pytest.mark.parametrize(
    ("http", "believed"),
    [(Settings(), True), (Settings(auth=Auth(secret="s" * 32)), False)],
    indirect=["http"],
)
async def test_the_page_is_told_whether_a_name_is_believed(http: ClientSession, *, believed: bool) -> None:
    async with http.get("/v1/page") as answer:
        assert (await answer.json())["names"] is believed


@pytest.mark.parametrize(
    ("settings", "host", "urls"),
    [
        (Settings(), "localhost:18080", ["ws://localhost:18081/v1/ws"]),
        (Settings(), "[::1]:18080", ["ws://[::1]:18081/v1/ws"]),
        (Settings(edge=Edge(tls_cert="c", tls_key="k")), "a.example", ["wss://a.example:18081/v1/ws"]),
        (Settings(edge=Edge(public_url="wss://edge.example/v1/ws")), "a", ["wss://edge.example/v1/ws"]),
        (
            Settings(gateway=Gateway(edges=("ws://b/v1/ws", "ws://c/v1/ws"))),
            "a",
            ["ws://b/v1/ws", "ws://c/v1/ws"],
        ),
    ],
)
def test_edges_come_from_the_settings_or_the_host(settings: Settings, host: str, urls: list[str]) -> None:
    assert pages.edge_urls(settings, host) == urls


def test_the_policy_names_the_edges_and_the_tile_server_and_no_other() -> None:
    settings = Settings(gateway=Gateway(tiles_url="https://{s}.tiles.example/{z}/{x}/{y}.png"))
    rules = dict(
        rule.split(" ", 1)
        for rule in pages.policy(
            settings, ["wss://edge.example:444/v1/ws", "ws://127.0.0.1:18081/v1/ws"]
        ).split("; ")
    )
    assert rules["connect-src"] == "'self' ws://127.0.0.1:* wss://edge.example:444"
    assert rules["img-src"] == "'self' data: blob: https://*.tiles.example"


def test_the_policy_names_a_bucket_of_attachments() -> None:
    given = {"TOUCHLINE_ATTACHMENTS_STORE": "s3", "TOUCHLINE_ATTACHMENTS_S3_BUCKET": "files"}
    near = {**given, "TOUCHLINE_ATTACHMENTS_S3_ENDPOINT": "http://127.0.0.1:9000/api"}
    for environment, origins in (
        (near, "http://127.0.0.1:9000"),
        (given, "https://files.s3.amazonaws.com https://files.s3.us-east-1.amazonaws.com"),
    ):
        rules = dict(rule.split(" ", 1) for rule in pages.policy(load_settings(environment), []).split("; "))
        assert rules["connect-src"] == f"'self' {origins}"
        assert rules["img-src"] == f"'self' data: blob: {origins}"
