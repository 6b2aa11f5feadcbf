"""A real Chromium, and a pipeline for the pages in it."""

from collections.abc import Iterator

import pytest

from tests.pipeline import Pipeline, running
from tests.web.browser import Browser, chromium
from tests.web.test_javascript import load_build


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = chromium()
    if executable is None:
        pytest.skip("no Chromium on this machine (Debian and Ubuntu: apt-get install chromium)")
    build = load_build()
    if not (build.install() and build.ready()):
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
