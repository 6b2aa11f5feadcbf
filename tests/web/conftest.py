"""A real Chromium, and a pipeline for the pages in it."""

from collections.abc import Iterator

import pytest

from tests.pipeline import Pipeline, running
from tests.web.browser import Browser, chromium
from tests.web.test_javascript import load_build


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = chromium()
    if executable is None:
        pytest.skip("no Chromium on this machine (Debian and Ubuntu: apt-get install chromium)")
    build = load_build()
    if not build.install():
        pytest.skip("the npm packages could not be installed: is the registry in reach?")
    assert build.ready(), "the pages are not built"
    with Browser(build.NODE, executable) as browser:
        yield browser


@pytest.fixture(scope="package")
def pipeline(
    browser: Browser, kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs = tmp_path_factory.mktemp("logs")
    roles = ("stream", "edge", "index", "outbox", "gateway")
    given = {"TOUCHLINE_EDGE_DRAIN_S": "1", "TOUCHLINE_GATEWAY_OPS_EVERY_S": "1"}
    given["TOUCHLINE_NEARBY_MAX_SPEED_M_S"] = "1000000"
    with running(kafka_servers, elasticsearch_url, logs, *roles, **given) as pipeline:
        yield pipeline


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A page that stays open goes on working, and the next test would feel it. Nor may any complain."""
    if "browser" not in request.fixturenames:
        yield
        return
    browser: Browser = request.getfixturevalue("browser")
    yield
    browser.close_pages()
    assert browser.forget_complaints() == []
