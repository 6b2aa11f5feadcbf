"""The producer for threads: the same promises."""

import threading
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from producers import Chat, SomeNotDelivered, SyncProducer
from schemas.ingest import decode_ingest

Reading = Callable[[Settings, str], list[tuple[int, bytes, bytes]]]


def test_threads_share_one_and_each_keeps_its_order(fresh_settings: Settings, read_topic: Reading) -> None:
    narrow = replace(fresh_settings, producer=replace(fresh_settings.producer, max_in_flight=20))
    with SyncProducer(narrow) as producer:
        threads = [
            threading.Thread(
                target=producer.send_many, args=([Chat(f"c{number}", str(n)) for n in range(800)],)
            )
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        assert producer.chat("single", "x", sender="ana").offset is not None
        for thread in threads:
            thread.join()
    records = read_topic(fresh_settings, topic_names(fresh_settings).ingest[Kind.CHAT])
    for number in range(4):
        found = [
            decode_ingest(Kind.CHAT, value)["data"]["text"]
            for _, key, value in records
            if key == f"c{number}".encode()
        ]
        assert found == [str(n) for n in range(800)]


def test_each_way_of_sending_waits_for_kafka(producer_settings: Settings) -> None:
    with SyncProducer(producer_settings) as producer:
        assert producer.broadcast("a", "goal").append_ms
        assert producer.location("a", 1, 2).append_ms
        assert producer.submit(Chat("a", "x")).result(timeout=60).append_ms
        producer.flush()
        with pytest.raises(SomeNotDelivered, match=r"no\. 2"):
            producer.send_many([Chat("a", "x"), Chat("a", "")])
    with pytest.raises(TouchlineError, match="closed"):
        producer.chat("a", "x")


def test_closing_says_how_much_was_left(producer_settings: Settings) -> None:
    nowhere = replace(
        producer_settings,
        kafka=replace(producer_settings.kafka, bootstrap_servers="127.0.0.1:1"),
        producer=replace(producer_settings.producer, max_in_flight=2),
    )
    producer = SyncProducer(nowhere)
    confirmations = [producer.submit(Chat("a", "x")) for _ in range(2)]
    with pytest.raises(TouchlineError) as full:
        producer.submit(Chat("a", "x"), wait=False)
    assert full.value.code == "queue_full"
    with pytest.raises(TouchlineError, match="2 events on their way"):
        producer.close(timeout_s=0.1)
    for confirmation in confirmations:
        with pytest.raises(TouchlineError):
            confirmation.result(timeout=60)
