"""An event's way, as a user goes it: publish, watch, search, on real servers."""

import json
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
    (seen,) = pipeline.lines("watch", "broadcast:wc26-final", "--last", "10", "--count", "1", "--for", "50s")
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


def test_what_others_have_written_gives_no_orders_to_a_terminal_unless_that_is_asked_for(
    pipeline: Pipeline,
) -> None:
    evil = "\x1b]0;owned\x07 \u202egnp.exe\nforged line"
    posted = json.dumps({"sender": "eve\u202e", "data": {"text": f"hostile {evil}"}})
    pipeline.run("publish", "chat:terminal", "-", stdin=posted)
    watch = ("watch", "chat:terminal", "--last", "1", "--count", "1", "--for", "50s")
    shown = [pipeline.run(*watch).stdout, pipeline.run(*watch, "--json").stdout]
    eventually(
        "the search shows it", lambda: "hostile" in pipeline.run("search", "hostile", check=False).stdout
    )
    shown += [pipeline.run("search", "hostile").stdout, pipeline.run("search", "hostile", "--json").stdout]
    for text in shown:
        assert "owned" in text
        assert not set(text) & {"\x1b", "\x07", "\u202e"}, repr(text)
        assert not any(line.startswith("forged") for line in text.splitlines())
    assert "\x1b]0;owned" in pipeline.run(*watch, "--raw").stdout


def test_events_come_in_the_order_in_which_they_were_published(pipeline: Pipeline) -> None:
    posted = "".join(f'{{"type": "tick", "data": {{"n": {n}}}}}\n' for n in range(200))
    pipeline.run("publish", "broadcast:order", "-", stdin=posted)
    seen = pipeline.lines("watch", "broadcast:order", "--after", "0", "--count", "200", "--for", "50s")
    assert [event["data"]["n"] for event in seen] == list(range(200))
    assert [event["seq"] for event in seen] == sorted({event["seq"] for event in seen})
    for how, expected in ((("--after", "0"), seen), (("--last", "3"), seen[-3:])):
        there = pipeline.lines("watch", "broadcast:order", *how, "--no-follow")
        assert [event["seq"] for event in there] == [event["seq"] for event in expected]
