"""A channel with a retention class: what is past it is gone from search and history, and stays gone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from elasticsearch import AsyncElasticsearch

from control.channels.channel import ChannelRecord, to_avro
from control.channels.channel import Settings as ChannelSettings
from control.channels.retention import Retention
from history import History
from history.sources.elasticsearch_client import elastic_client
from kernel.clock import SystemClock
from kernel.log.positions import Kind, Stream, split_seq
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from search_indexer.indexing import expiry
from search_indexer.indexing.expiry import Expiry
from tests.accepted import START_MS, chat, event, write, writer
from tests.pipeline import Pipeline, eventually
from tests.search_indexer.reading import complete, documents

pytestmark = [pytest.mark.servers, pytest.mark.timeout(550)]
DAY_MS = 24 * 60 * 60 * 1000
OLD_MS = START_MS - 2 * DAY_MS


@pytest.fixture
async def client(indexing: Pipeline) -> AsyncIterator[AsyncElasticsearch]:
    async with elastic_client(indexing.settings) as made:
        yield made


def set_class(settings: Settings, channel: str, name: str) -> None:
    """As the worker writes it that carries out `touchline channel set CHANNEL retention=NAME`."""
    record = ChannelRecord(channel=channel, settings=ChannelSettings(retention=name))
    producer = writer(settings)
    producer.produce(
        topic_names(settings).channels, Codec("channel").encode(to_avro(record)), channel.encode(), 0
    )
    assert producer.flush(60) == 0


async def in_history(settings: Settings, channel: str, retention: Retention) -> list[int]:
    """The ingest offsets of a channel's chat, as history has them, from its end and from its beginning."""
    async with History(settings, SystemClock(), retention) as history:
        page = await history.read(Stream(Kind.CHAT, channel), limit=100)
        again = await history.read(Stream(Kind.CHAT, channel), after=0, limit=100)
    assert again.seqs == page.seqs
    return [split_seq(seq)[1] for seq in page.seqs]


async def until(expected: Any, ask: Callable[[], Awaitable[Any]]) -> None:
    """Ask until this is the answer."""
    async with asyncio.timeout(90):
        while True:
            if await ask() == expected:
                return
            await asyncio.sleep(0.2)


def in_search(indexing: Pipeline, channel: str) -> set[str]:
    """The texts that a search finds."""
    (found,) = indexing.lines("search", "message", "--channel", channel, "--kind", "chat")
    return {hit["event"]["data"]["text"] for hit in found["hits"]}


async def test_what_is_past_its_class_is_gone_and_a_rebuild_does_not_bring_it_back(
    indexing: Pipeline, client: AsyncElasticsearch
) -> None:
    settings = indexing.settings
    old, young = chat("brief", 1000, "message old", at=OLD_MS), chat("brief", 1003, "message young")
    edit = event(
        Kind.CHAT, "brief", 1001, {"text": "message edited", "target": old["id"]}, type_="edit", at=OLD_MS + 1
    )
    written = [old, edit, chat("brief~1", 1002, "message old", at=OLD_MS), young]
    for one in [*written, chat("lasting", 1004, "message old", at=OLD_MS)]:
        write(settings, Kind.CHAT, [one])
    for channel, many in (("brief", 3), ("brief~1", 1), ("lasting", 1)):
        await complete(settings, client, f"chat:{channel}", many)
    eventually("the edit shows", lambda: in_search(indexing, "brief") == {"message edited", "message young"})
    everything = Retention(settings.indexer)
    assert await in_history(settings, "brief", everything) == [1000, 1001, 1003]

    set_class(settings, "brief", "day")
    # An indexer sweeps when it starts, and then every ten minutes.
    assert indexing.stop("index") == 0
    indexing.start("index")

    async def stands() -> dict[str, int]:
        channels = ("brief", "brief~1", "lasting")
        return {name: len(await documents(client, settings, f"chat:{name}")) for name in channels}

    left = {"brief": 1, "brief~1": 0, "lasting": 1}
    await until(left, stands)
    assert in_search(indexing, "brief") == {"message young"}
    assert await in_history(settings, "brief", everything) == [1003]

    await asyncio.to_thread(indexing.run, "index", "--rebuild")
    await until(left, stands)
    assert in_search(indexing, "brief") == {"message young"}
    assert in_search(indexing, "lasting") == {"message old"}

    # The log has it all, and answers alone while Elasticsearch is down: history keeps to the class there too.
    gone = msgspec.structs.replace(settings.elasticsearch, url="http://127.0.0.1:9")
    log_only = msgspec.structs.replace(settings, elasticsearch=gone)
    assert await in_history(log_only, "brief", everything) == [1000, 1001, 1003]
    kept = Retention(settings.indexer, {"brief": "day"}.get, {"brief": "day"}.items)
    assert await in_history(log_only, "brief", kept) == [1003]
    async with History(log_only, SystemClock(), kept) as history:
        assert await history.find(Stream(Kind.CHAT, "brief"), old["id"]) is None
        assert await history.find(Stream(Kind.CHAT, "brief"), young["id"]) is not None


async def test_history_does_not_wait_for_the_sweep(indexing: Pipeline, client: AsyncElasticsearch) -> None:
    settings = indexing.settings
    write(settings, Kind.CHAT, [chat("unswept", 2000, "message old", at=OLD_MS)])
    write(settings, Kind.CHAT, [chat("unswept", 2001, "message young")])
    await complete(settings, client, "chat:unswept", 2)
    indexing.start("gateway")
    try:
        async with ClientSession() as http:

            async def told() -> list[Any]:
                address = f"{indexing.gateway_url}/v1/streams/chat/unswept/events"
                async with http.get(address) as answer:
                    return [one["data"]["text"] for one in (await answer.json())["events"]]

            assert await told() == ["message old", "message young"]
            address = f"{indexing.gateway_url}/v1/channels/unswept"
            async with http.put(address, json={"retention": "month"}) as answer:
                assert answer.status == 400
                assert "it is day or week or null" in (await answer.json())["detail"]
            done = indexing.run("channel", "set", "unswept", "retention=month", check=False)
            assert "it is day or week or null" in done.stderr
            set_class(settings, "unswept", "day")
            await until(["message young"], told)
    finally:
        indexing.stop("gateway")
    assert len(await documents(client, settings, "chat:unswept")) == 2


async def test_a_sweep_goes_by_pages_and_rests_between_them(
    indexing: Pipeline, client: AsyncElasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = indexing.settings
    many = [chat("pages", 3000 + n, f"message {n}", at=OLD_MS + n // 4) for n in range(20)]
    write(settings, Kind.CHAT, [*many, chat("pages", 3020, "message young")])
    await complete(settings, client, "chat:pages", 21)
    monkeypatch.setattr(expiry, "_PAGE", 6)
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    retention = Retention(settings.indexer, {"pages": "day"}.get, {"pages": "day"}.items)
    swept = Expiry(client, settings, SystemClock(), retention, sleep=rest)
    assert await swept.sweep() == 20
    assert len(rests) == 3
    assert min(rests) > 0
    await client.indices.refresh(index=f"{settings.elasticsearch.index_prefix}-chat")
    assert await swept.sweep() == 0
    (left,) = (await documents(client, settings, "chat:pages")).values()
    assert left["seq"] == many[-1]["seq"] + 1
