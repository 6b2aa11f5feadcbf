"""A membership that Kafka has ended ends the indexer, whatever comes together with the news."""

import secrets
from collections.abc import Iterator

import psutil
import pytest

from history.pages import Watermark
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.kafka import apply_topics
from kernel.log.positions import Kind
from kernel.log.topics import indexer_group, topics
from kernel.settings.reading import Settings, load_settings
from search_indexer.indexing.source import EventSource
from tests.accepted import event, write
from tests.pipeline import eventually

pytestmark = [pytest.mark.servers, pytest.mark.timeout(550)]


@pytest.fixture
def settings(kafka_servers: str) -> Settings:
    name = f"member{secrets.token_hex(4)}"
    given = {
        "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": kafka_servers,
        "TOUCHLINE_TOPICS_PREFIX": name,
        "TOUCHLINE_INDEXER_GROUP": name,
        "TOUCHLINE_INDEXER_INSTANCE": "the-same",
    }
    loaded = load_settings(given)
    apply_topics(loaded, topics(loaded))
    return loaded


@pytest.fixture
def member(settings: Settings) -> Iterator[EventSource]:
    source = EventSource(settings, SystemClock(), group=indexer_group(settings))
    source.subscribe()
    eventually("it has its partitions", lambda: begun(source))
    yield source
    source.close()


def begun(source: EventSource) -> bool:
    source.read(1, 0.2)
    asked = source.pending
    return asked is not None and len(asked) > 0 and source.start_at(asked, dict.fromkeys(asked, Watermark(0)))


@pytest.mark.parametrize("busy", [False, True], ids=["while it reads", "while elasticsearch takes nothing"])
def test_one_whose_name_another_has_taken_ends(settings: Settings, member: EventSource, busy: bool) -> None:
    other = EventSource(settings, SystemClock(), group=indexer_group(settings))
    other.subscribe()
    try:
        eventually("the other has the partitions", lambda: begun(other))

        def goes_on() -> bool:
            if busy:
                member.keep_alive()
            else:
                member.read(1, 0.2)
            return False

        with pytest.raises(TouchlineError, match="has ended this indexer's membership"):
            eventually("it ends", goes_on)
    finally:
        other.close()


def test_a_batch_is_as_large_as_may_be_in_bytes_whatever_its_events_are_made_of(
    settings: Settings, member: EventSource
) -> None:
    """An event of half a megabyte of small numbers would be five in memory, and a batch of them hundreds."""
    data = {f"f{n}": {"g": [n] * 50} for n in range(1500)}
    write(settings, Kind.BROADCAST, [event(Kind.BROADCAST, "large", n + 1, data) for n in range(60)])
    most, read, before = settings.indexer.batch_bytes, 0, psutil.Process().memory_info().rss

    def all_of_them() -> bool:
        nonlocal read
        batch = member.read(1, 0.2)
        read += len(batch.lines)
        held = sum(map(len, batch.lines)) + sum(len(record.value() or b"") for record in batch.records)
        assert held <= most + 32 * 1_300_000, "what is taken from Kafka at once is little, too"
        grown = psutil.Process().memory_info().rss - before
        assert grown < 150_000_000, f"{grown / 1e6:.0f} MB for a batch of {held / 1e6:.0f}"
        return read == 60

    eventually("all of them are read", all_of_them)
