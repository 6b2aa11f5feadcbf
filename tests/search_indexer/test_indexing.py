"""The indexer on real servers: nothing lost, nothing doubled, whatever is killed; and history meanwhile."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from elasticsearch import AsyncElasticsearch

from history import History
from history.sources.elasticsearch_client import elastic_client
from history.sources.names import alias, day_of, index_name
from kernel.access.signing import Signer
from kernel.clock import ManualClock, SystemClock
from kernel.errors import TouchlineError
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, Stream, split_seq
from kernel.log.topics import topic_names
from schemas.codec import Codec
from search_indexer.alerts import Alert, save
from search_indexer.indexing.state import IndexState
from search_indexer.searching.request import Search
from tests.accepted import START_MS, chat, event, write
from tests.pipeline import Pipeline, eventually
from tests.search_indexer.reading import complete, documents, empty, records

pytestmark = [pytest.mark.servers, pytest.mark.timeout(420)]
DAY_MS = 24 * 60 * 60 * 1000
EVENTS = int(os.environ.get("TOUCHLINE_TEST_EVENTS", "20000"))


@pytest.fixture
async def client(indexing: Pipeline) -> AsyncIterator[AsyncElasticsearch]:
    async with elastic_client(indexing.settings) as made:
        yield made


async def test_the_indices_of_a_day_are_there_before_its_first_event(
    indexing: Pipeline, client: AsyncElasticsearch
) -> None:
    """One that is made when an event comes makes the first search of the day miss it for seconds; one that is
    there a day before is asked by each search for a day, though it has nothing."""
    settings = indexing.settings
    prefix, now = settings.elasticsearch.index_prefix, SystemClock().now_ms()
    next_day = now // DAY_MS * DAY_MS + 2 * DAY_MS
    clock = ManualClock(next_day - DAY_MS // 2)
    state = IndexState(client, settings, clock)
    live = await state.live()
    assert live is not None

    async def present(at: int) -> set[Kind]:
        days = {kind: index_name(prefix, kind, live, day_of(at)) for kind in Kind}
        return {kind for kind, index in days.items() if await client.indices.exists(index=index)}

    assert await present(now) == set(Kind)
    await state.make_days(live)
    assert await present(next_day - DAY_MS) == set(Kind)
    assert await present(next_day) == set()
    clock.advance(DAY_MS / 2 / 1000 - 30 * 60)
    await state.make_days(live)
    assert await present(next_day) == set(Kind)
    # They are searched from the start: nothing has to be changed when the first event comes.
    made = index_name(prefix, Kind.CHAT, live, day_of(next_day))
    assert made in await client.indices.get_alias(name=alias(prefix, Kind.CHAT))


def test_what_cannot_be_indexed_is_rejected_and_the_next_event_flows(indexing: Pipeline) -> None:
    nowhere = event(Kind.LOCATION, "lost", 1, {"lat": 95.0, "lon": 0.0})
    write(indexing.settings, Kind.LOCATION, [nowhere])
    topic = topic_names(indexing.settings).events[Kind.CHAT]
    from confluent_kafka import Producer

    producer = Producer(client_config(indexing.settings))
    producer.produce(topic, b"not avro", key=b"lost")
    assert producer.flush(60) == 0
    write(indexing.settings, Kind.CHAT, [chat("lost", 2, "after the broken one")])
    eventually("the next one is found", lambda: indexing.lines("search", '"the broken"')[0]["hits"])
    codec, rejected = Codec("rejection"), topic_names(indexing.settings).rejected

    def reasons() -> list[dict[str, Any]] | None:
        found = [codec.decode(message.value()) for message in records(indexing.settings, rejected)]
        return found if len(found) >= 2 else None

    by_reason = {one["reason"]: one for one in eventually("both are rejected", reasons)}
    assert by_reason["undecodable"]["value"] == b"not avro"
    assert by_reason["not_indexable"]["value"] == Codec("event-location").encode(nowhere)
    assert by_reason["not_indexable"]["topic"].endswith("events.location")


def test_an_alert_turns_matches_into_a_stream(indexing: Pipeline) -> None:
    settings, clock = indexing.settings, SystemClock()
    alert = Alert(
        id="own-goals", search=Search(q="goal -friendly"), patterns=("chat:alert*",), since_ms=START_MS
    )
    save(settings, clock, alert, alert.id, actor="ana")
    ingest = topic_names(settings).ingest[Kind.BROADCAST]
    offset = iter(range(10, 100_000))

    def told() -> list[Any] | None:
        # The alert is known to the indexer within a moment; events are written until it is.
        write(settings, Kind.CHAT, [chat("alerted", next(offset), "What goals!")])
        return [m for m in records(settings, ingest) if m.key() == b"alert-own-goals"]

    first = eventually("the alert tells", told)[0]
    said = msgspec.json.decode(first.value())
    assert (said["type"], said["data"]["alert"]) == ("alert", "own-goals")
    assert said["data"]["event"]["data"] == {"text": "What goals!"}
    assert said["key"] == said["data"]["event"]["id"]
    signed = Signer(settings.auth).signed(Kind.BROADCAST, "alert-own-goals", first.value(), first.headers())
    assert signed, "the fold takes it from nobody else"
    texts = ["a friendly goal", "nothing", "the goal"]
    write(settings, Kind.CHAT, [chat("alerted", next(offset), text) for text in texts])
    write(settings, Kind.CHAT, [chat("elsewhere", next(offset), "a goal too")])

    def last() -> bool:
        about = [m for m in records(settings, ingest) if m.key() == b"alert-own-goals"]
        events = [msgspec.json.decode(m.value())["data"]["event"] for m in about]
        assert {one["stream"] for one in events} == {"chat:alerted"}
        assert {one["data"]["text"] for one in events} <= {"What goals!", "the goal"}
        return bool(events[-1]["data"]["text"] == "the goal")

    eventually("the matching one is told, and only that", last)


async def test_an_emptied_elasticsearch_is_filled_again(
    indexing: Pipeline, client: AsyncElasticsearch
) -> None:
    written = [chat("emptied", n, f"message {n}") for n in range(1000, 1200)]
    write(indexing.settings, Kind.CHAT, written)
    await complete(indexing.settings, client, "chat:emptied", 200)
    before = await documents(client, indexing.settings, "chat:emptied")
    state = IndexState(client, indexing.settings, SystemClock())
    half_built = await state.begin()
    await empty(client, indexing.settings)
    await complete(indexing.settings, client, "chat:emptied", 200)
    assert await documents(client, indexing.settings, "chat:emptied") == before
    # A rebuild that was under way has lost what it had: it says so, and is not searched.
    with pytest.raises(TouchlineError, match="emptied while"):
        await state.swap(half_built)
    assert await state.live() != half_built


async def test_a_rebuild_gives_the_same_and_indexers_follow(
    indexing: Pipeline, client: AsyncElasticsearch
) -> None:
    settings = indexing.settings
    state = IndexState(client, settings, SystemClock())
    write(settings, Kind.CHAT, [chat("rebuilt", n, f"message {n}") for n in range(2000, 2200)])
    await complete(settings, client, "chat:rebuilt", 200)
    before, old = await documents(client, settings, "chat:rebuilt"), await state.live()
    done = await asyncio.to_thread(indexing.run, "index", "--rebuild")
    assert "The new index is searched now" in done.stderr
    new = await state.live()
    assert new is not None
    assert old is not None
    assert new > old
    assert await documents(client, settings, "chat:rebuilt") == before
    write(settings, Kind.CHAT, [chat("rebuilt", 2200, "and on")])
    await complete(settings, client, "chat:rebuilt", 201)
    async with asyncio.timeout(60):  # history follows too, within a second
        async with History(settings, SystemClock()) as history:
            page = await history.read(Stream.parse("chat:rebuilt"), after=0, limit=1000)
    assert [split_seq(seq)[1] for seq in page.seqs] == list(range(2000, 2201))
