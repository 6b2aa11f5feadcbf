"""History from the log alone: what edges and gateway read while Elasticsearch is down."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from msgspec.structs import replace

from history import History, Page, reader
from history.sources import log, tail
from history.sources.log import LogReader
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream, make_seq, split_seq
from kernel.settings.limits import Limits
from kernel.settings.reading import Kafka, Settings
from tests.accepted import chat, write

FINAL = Stream.parse("chat:final")
Publish = Callable[[str, Iterable[int]], None]


@pytest.fixture
async def history(log_settings: Settings) -> AsyncIterator[History]:
    async with History(log_settings, SystemClock()) as made:
        yield made


def offsets(page: Page) -> list[int]:
    return [split_seq(seq)[1] for seq in page.seqs]


async def test_pages_forwards_and_backwards(history: History, publish_chat: Publish) -> None:
    publish_chat("final", range(0, 40, 2))
    publish_chat("other", range(41, 60))
    page = await history.read(FINAL, after=0, limit=3)
    assert (offsets(page), page.more, page.degraded) == ([0, 2, 4], True, True)
    assert page.events[1].startswith(b'{"stream":"chat:final","seq":%d,' % make_seq(1, 2))
    page = await history.read(FINAL, after=make_seq(1, 33), limit=3)
    assert (offsets(page), page.more) == ([34, 36, 38], False)
    page = await history.read(FINAL, limit=2)
    assert (offsets(page), page.more) == ([36, 38], True)
    page = await history.read(FINAL, before=make_seq(1, 4))
    assert (offsets(page), page.more) == ([0, 2], False)
    page = await history.read(FINAL, after=make_seq(1, 38))
    assert (offsets(page), page.more) == ([], False)
    assert (await history.read(Stream.parse("chat:nobody-home"), after=0)).events == []


async def test_repeats_of_a_killed_worker_show_once_and_in_order(
    history: History, publish_chat: Publish
) -> None:
    publish_chat("final", [*range(10), *range(5, 20), *range(18, 25)])
    assert offsets(await history.read(FINAL, after=0)) == list(range(25))
    assert offsets(await history.read(FINAL, limit=12)) == list(range(13, 25))


async def test_a_place_in_a_long_log_is_looked_for(
    history: History, publish_chat: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "_SHORT", 40)
    publish_chat("final", [*range(1000), *range(950, 2000)])
    for wanted in (3, 949, 975, 999, 1000, 1990):
        page = await history.read(FINAL, after=make_seq(1, wanted), limit=5)
        assert offsets(page) == list(range(wanted + 1, min(wanted + 6, 2000)))
        page = await history.read(FINAL, before=make_seq(1, wanted), limit=5)
        assert offsets(page) == list(range(max(0, wanted - 5), wanted))


@pytest.mark.parametrize("given", [{"limit": 0}, {"limit": 1001}, {"after": 1, "before": 2}], ids=str)
async def test_wrong_use_is_said(given: dict[str, Any]) -> None:
    async with History(Settings(), SystemClock()) as history:
        with pytest.raises(TouchlineError, match=r"limit|not both") as raised:
            await history.read(FINAL, **given)
    assert raised.value.code == "bad_request"


async def test_a_kafka_that_does_not_answer_is_said() -> None:
    settings = Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:9"))
    async with History(settings, SystemClock()) as history:
        with pytest.raises(TouchlineError, match="Kafka does not answer") as raised:
            await history.read(FINAL)
    assert raised.value.code == "unavailable"


async def test_what_is_known_of_a_topic_is_enough_while_its_description_is_not_to_be_had(
    log_settings: Settings, publish_chat: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_chat("final", range(3))
    async with History(log_settings, SystemClock()) as history:
        assert offsets(await history.read(FINAL, after=0)) == [0, 1, 2]
        monkeypatch.setattr(reader, "_TOPICS_S", -1)
        lost = AdminClient({"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
        history.admin = lost
        assert offsets(await history.read(FINAL, after=0)) == [0, 1, 2]
        # The client that has lost its way is not asked again: a topic that nobody knows yet is described.
        await history.read(Stream.parse("broadcast:final"), after=0)


async def test_a_reader_that_failed_is_not_used_again(
    log_settings: Settings, publish_chat: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_chat("final", range(3))
    async with History(log_settings, SystemClock()) as history:
        nowhere = Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:9"))
        with monkeypatch.context() as hurried:
            hurried.setattr(log, "_WAIT_S", 0.5)
            works = history.new_reader
            history.new_reader = lambda: LogReader(nowhere, {})
            for _ in range(reader.READERS):
                with pytest.raises(TouchlineError, match="Kafka does not answer"):
                    await history.read(FINAL, after=0)
        history.new_reader = works
        assert offsets(await history.read(FINAL, after=0)) == [0, 1, 2]


async def test_a_page_of_large_events_ends_at_a_size_in_both_directions(log_settings: Settings) -> None:
    small = replace(log_settings, limits=Limits(page_bytes=10_000))
    events = [chat("large", n, "x" * 1000, partitions=log_settings.topics.partitions) for n in range(1, 41)]
    write(log_settings, Kind.CHAT, events)
    stream = Stream.parse("chat:large")
    async with History(small, SystemClock()) as history:
        seqs: list[int] = []
        pages = 0
        while True:
            page = await history.read(stream, after=seqs[-1] if seqs else 0, limit=500)
            assert sum(map(len, page.events)) <= 10_000
            seqs += page.seqs
            pages += 1
            if not page.more:
                break
        assert len(seqs) == 40
        assert pages >= 5
        back: list[int] = []
        while True:
            page = await history.read(stream, before=back[0] if back else None, limit=500)
            assert sum(map(len, page.events)) <= 10_000
            back = [*page.seqs, *back]
            if not page.more:
                break
        assert back == seqs
