"""An event's way, as a user goes it: publish, watch, search, on real servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline import Pipeline, eventually, running

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def pipeline(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("pipeline")
    with running(kafka_servers, elasticsearch_url, logs, "stream", "edge", "index", "gateway") as started:
        yield started


def test_what_is_published_is_watched_and_found(pipeline: Pipeline) -> None:
    pipeline.run("publish", "broadcast:wc26-final", "--text", "Kick-off")
    (seen,) = pipeline.lines("watch", "broadcast:wc26-final", "--last", "10", "--count", "1", "--for", "20s")
    assert seen["stream"] == "broadcast:wc26-final"
    assert seen["data"]["text"] == "Kick-off"
    assert seen["seq"] > 0
    found = eventually("the search finds it", lambda: pipeline.lines("search", "kick-off")[0]["hits"])
    assert [hit["event"]["id"] for hit in found] == [seen["id"]]


def test_the_commands_print_for_people_what_they_print_for_programs(pipeline: Pipeline) -> None:
    pipeline.run("publish", "chat:people", "--text", "Hello from the stands")
    assert (
        "Hello from the stands" in pipeline.run("watch", "chat:people", "--last", "1", "--count", "1").stdout
    )
    eventually(
        "the search shows it", lambda: "stands" in pipeline.run("search", "stands", check=False).stdout
    )


def test_events_come_in_the_order_in_which_they_were_published(pipeline: Pipeline) -> None:
    posted = "".join(f'{{"type": "tick", "data": {{"n": {n}}}}}\n' for n in range(200))
    pipeline.run("publish", "broadcast:order", "-", stdin=posted)
    seen = pipeline.lines("watch", "broadcast:order", "--after", "0", "--count", "200", "--for", "30s")
    assert [event["data"]["n"] for event in seen] == list(range(200))
    assert [event["seq"] for event in seen] == sorted({event["seq"] for event in seen})
