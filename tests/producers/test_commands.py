"""`publish`, `replay` and `simulate` as a user calls them, on a real broker."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.ingest import decode_ingest
from tests.pipeline import Pipeline, imported

Reading = Callable[[Settings, str], list[tuple[int, bytes, bytes]]]


@pytest.fixture(scope="module")
def topics_only(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    pipeline = Pipeline(kafka_servers, "http://127.0.0.1:9", tmp_path_factory.mktemp("commands"))
    yield pipeline
    pipeline.close()


@pytest.fixture
def posted(topics_only: Pipeline, read_topic: Reading) -> Callable[[str], list[dict[str, object]]]:
    """What lies in the chat topic for a channel."""

    def of(channel: str) -> list[dict[str, object]]:
        records = read_topic(topics_only.settings, topic_names(topics_only.settings).ingest[Kind.CHAT])
        return [decode_ingest(Kind.CHAT, value) for _, key, value in records if key == channel.encode()]

    return of


def test_publish_takes_an_argument_a_text_and_standard_input(
    topics_only: Pipeline, posted: Callable[[str], list[dict[str, object]]]
) -> None:
    assert "1 delivered" in topics_only.run("publish", "chat:p", "--text", "Olé", "--sender", "ana").stdout
    assert topics_only.lines("publish", "chat:p", '{"key":"k","data":{"text":"two"}}') == [
        {"stream": "chat:p", "delivered": 1}
    ]
    lines = "\n".join(json.dumps({"data": {"text": str(n)}}) for n in range(3000))
    assert "3000 delivered" in topics_only.run("publish", "chat:p", "-", stdin=lines).stdout
    assert len(posted("p")) == 3002
    assert "1 delivered" in topics_only.run("publish", "broadcast:p", "--text", "Kick-off").stdout


def test_publish_goes_on_after_a_line_that_is_wrong_and_names_it(
    topics_only: Pipeline, posted: Callable[[str], list[dict[str, object]]]
) -> None:
    done = topics_only.run(
        "publish", "chat:w", "-", stdin='{"data":{"text":"a"}}\n{\n{"data":{"text":"b"}}\n', check=False
    )
    assert done.returncode == 1
    assert "event 2" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(posted("w")) == 2


def test_publish_brings_no_more_than_it_needs(topics_only: Pipeline) -> None:
    """What it does not import, nobody waits for: all of it together took a second."""
    brought = imported(topics_only, "publish", "chat:quick", "--text", "Olé")
    assert "confluent_kafka" in brought
    assert brought.isdisjoint(
        {"structlog", "rich", "pygments", "attr", "aiohttp", "elasticsearch", "requests"}
    )


@pytest.mark.parametrize(
    "arguments",
    [("chat:a",), ("chat:a", "{}", "--text", "x"), ("video:a", "--text", "x"), ("location:a", "--text", "x")],
)
def test_wrong_use_of_publish_is_2(topics_only: Pipeline, arguments: tuple[str, ...]) -> None:
    assert topics_only.run("publish", *arguments, check=False).returncode == 2


def test_replay_posts_a_file_and_resumes_where_it_broke_off(
    topics_only: Pipeline, posted: Callable[[str], list[dict[str, object]]], tmp_path: Path
) -> None:
    file = tmp_path / "final.ndjson"
    lines = [json.dumps({"stream": "chat:x", "data": {"text": str(n)}}) for n in range(10)]
    file.write_text("\n".join(lines[:6]) + "\n{broken\n")
    broken = topics_only.run("replay", str(file), "--stream", "chat:r", check=False)
    assert broken.returncode == 1
    assert "Line 7" in broken.stderr
    file.write_text("\n".join(lines))
    [summary] = topics_only.lines("replay", str(file), "--stream", "chat:r", "--resume")
    assert summary["last_line"] == 10
    again = ("replay", str(file), "--stream", "chat:r", "--resume")
    assert topics_only.lines(*again) == [{"delivered": 0, "refused": 0, "last_line": 10}]
    assert "final.ndjson has nothing behind line 10" in topics_only.run(*again).stdout
    found = posted("r")
    # Lines that were sent before the file broke off may be sent again, under the same key: they count once.
    assert list(dict.fromkeys(event["key"] for event in found)) == [f"final.ndjson:{n}" for n in range(1, 11)]


def test_simulate_plays_into_all_three_kinds(topics_only: Pipeline, read_topic: Reading) -> None:
    [summary] = topics_only.lines(
        "simulate", "sim", "--speed", "5400", "--rate", "100", "--seed", "3", "--viewers", "0"
    )
    names = topic_names(topics_only.settings)
    kinds = {kind: len(read_topic(topics_only.settings, names.ingest[kind])) for kind in Kind}
    assert all(kinds.values())
    assert summary["delivered"] >= 90


def test_an_alert_that_is_not_there_is_not_removed(topics_only: Pipeline) -> None:
    assert (
        "broadcast:alert-goals"
        in topics_only.run("alert", "set", "goals", "-friendly", "--kind", "chat").stdout
    )
    assert topics_only.lines("alert", "list") == [
        {"id": "goals", "stream": "broadcast:alert-goals", "q": "-friendly", "kind": ["chat"]}
    ]
    everything = topics_only.run("alert", "set", "all", "-friendly", check=False)
    assert (everything.returncode, "nearly everything" in everything.stderr) == (1, True)
    nope = topics_only.run("alert", "remove", "nope", check=False)
    assert (nope.returncode, nope.stdout) == (1, "")
    assert "There is no alert nope." in nope.stderr
    assert "goals is removed" in topics_only.run("alert", "remove", "goals").stdout
    assert topics_only.run("alert", "remove", "goals", check=False).returncode == 1
