"""A numbered channel, as users see it: the same number by every way in."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.pipeline import Pipeline, eventually, running
from tests.search_indexer.conftest import QUICK
from touchline import Event, SyncProducer, Viewer

pytestmark = pytest.mark.servers
STREAM = "chat:counted"


@pytest.fixture(scope="module")
def pipeline(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("numbered")
    roles = ("stream", "edge", "index", "gateway")
    with running(kafka_servers, elasticsearch_url, logs, *roles, **QUICK) as started:
        yield started


def ask(pipeline: Pipeline, path: str, *, put: Any = None) -> Any:
    body = None if put is None else json.dumps(put).encode()
    request = Request(f"{pipeline.gateway_url}{path}", body, {"Content-Type": "application/json"})
    request.method = "GET" if put is None else "PUT"
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


async def said(pipeline: Pipeline) -> list[Event]:
    """What a viewer sees who posts until an event has the number 3, and edits that one then."""
    seen: list[Event] = []
    # With what was posted before the subscription was there: an edge may take what is published first.
    async with Viewer(pipeline.edge_url) as viewer, aclosing(viewer.stream(STREAM, last=100)) as events:
        first = asyncio.ensure_future(anext(events))
        while not seen or seen[-1].n != 3:
            await viewer.publish(STREAM, {"text": f"invasion {len(seen)}"})
            seen.append(await first)
            first = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0 if seen[-1].n else 0.2)  # until the setting holds
        edit = {"text": "corrected", "target": seen[-1].id}
        await viewer.publish(STREAM, edit, event_type="edit")
        return [*seen, await first]


def test_each_event_shows_its_number_wherever_it_is_shown(pipeline: Pipeline) -> None:
    assert ask(pipeline, "/v1/channels/counted", put={"numbered": True})["channel"] == "counted"
    *seen, edit = asyncio.run(asyncio.wait_for(said(pipeline), 120))
    assert [event.n for event in seen][-3:] == [1, 2, 3]
    assert {event.n for event in seen[:-3]} <= {None}
    assert edit.n is None
    last = {"id": seen[-1].id, "n": 3}
    settings = ask(pipeline, "/v1/channels/counted")["settings"]
    assert settings["numbered"] is True
    page = ask(pipeline, "/v1/streams/chat/counted/events?limit=2")["events"]
    assert page[0].items() >= last.items()
    assert "n" not in page[1]
    (watched, _) = pipeline.lines("watch", STREAM, "--last", "2", "--count", "2", "--for", "50s")
    assert watched.items() >= last.items()

    def hit() -> Any:
        hits = ask(pipeline, "/v1/search?q=corrected&channel=counted")["hits"]
        return hits and hits[0]["event"]

    assert eventually("search finds it", hit).items() >= last.items()


def test_a_channel_has_lanes_or_numbers_and_who_asks_for_both_is_told_why(pipeline: Pipeline) -> None:
    asked = pipeline.run("channel", "set", "alone", "numbered=true", "--json")
    assert json.loads(asked.stdout)["settings"]["numbered"] is True
    told: set[str] = set()

    def both_are_refused() -> bool:
        # It is numbered from a moment after the command on: until then the lane takes what is posted.
        producer.chat("alone", "hi", sender="ana", spread=2)
        told.update(row["message"] for row in pipeline.lines("rejected"))
        return all(any(part in message for message in told) for part in ("can have no lanes", "post to it"))

    with SyncProducer(pipeline.settings) as producer:
        producer.chat("spread", "hi", sender="ana", spread=2)
        eventually("the lanes are refused, and what is posted there", both_are_refused)
    eventually("it has lanes", lambda: pipeline.lines("channel", "show", "spread")[0]["lanes"] == 2)
    refused = pipeline.run("channel", "set", "spread", "numbered=true", check=False)
    assert (refused.returncode, "it cannot be numbered" in refused.stderr) == (1, True)
