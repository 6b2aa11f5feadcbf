"""A membership that Kafka has ended ends the indexer, whatever comes together with the news."""

import secrets
from collections.abc import Iterator

import pytest

from history.pages import Watermark
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.kafka import apply_topics
from kernel.log.topics import indexer_group, topics
from kernel.settings.reading import Settings, load_settings
from search_indexer.indexing.source import EventSource
from tests.pipeline import eventually

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]


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
