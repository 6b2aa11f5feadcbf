"""The broker is killed in the middle of 200,000 events: nothing reported delivered is lost or doubled."""

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition

from embedded.backends.servers import Servers
from kernel.log.kafka import apply_topics, client_config
from kernel.log.positions import Kind
from kernel.log.topics import topic_names, topics
from kernel.settings.reading import Settings, load_settings
from producers import Chat, Producer
from schemas.codec import Codec

EVENTS = 200_000
CHANNELS = 20
OUTAGE_S = 20.0
PARTITIONS = 4


@pytest.mark.slow
async def test_twenty_seconds_without_a_broker_cost_nothing(make_servers: Callable[..., Servers]) -> None:
    servers = make_servers(with_elasticsearch=False)
    servers.start()
    settings = load_settings(
        {
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers,
            "TOUCHLINE_TOPICS_PARTITIONS": str(PARTITIONS),
            # So small that senders have to wait while the broker is away.
            "TOUCHLINE_PRODUCER_MAX_IN_FLIGHT": "20000",
        }
    )
    topic = topic_names(settings).ingest[Kind.CHAT]
    apply_topics(settings, [wanted for wanted in topics(settings) if wanted.name == topic])
    sent, delivered = count(), 0
    reached = asyncio.Event()

    async def produce(producer: Producer, channel: int) -> None:
        """A channel's events, a thousand at a time; counts those that Kafka has confirmed."""
        nonlocal delivered
        own = EVENTS // CHANNELS
        for start in range(0, own, 1000):
            confirmed = await producer.send_many(
                Chat(f"c{channel}", f"{n}", key=f"{next(sent)}") for n in range(start, start + 1000)
            )
            delivered += confirmed
            if delivered >= EVENTS // 4:
                reached.set()

    async def outage() -> None:
        await reached.wait()
        servers.kafka.kill()
        await asyncio.sleep(OUTAGE_S)  # the outage itself: nothing is waited for
        await asyncio.to_thread(servers.kafka.start)

    async with Producer(settings) as producer:
        killing = asyncio.create_task(outage())
        await asyncio.gather(*(produce(producer, channel) for channel in range(CHANNELS)))
        await killing
    assert delivered == EVENTS

    # Each channel's events are there once, in the order in which they were sent.
    found = await asyncio.to_thread(texts_of, settings, topic)
    assert Counter({channel: len(said) for channel, said in found.items()}) == {
        f"c{channel}": EVENTS // CHANNELS for channel in range(CHANNELS)
    }
    for said in found.values():
        assert said == list(range(EVENTS // CHANNELS))


def texts_of(settings: Settings, topic: str) -> dict[str, list[int]]:
    decode = Codec("ingest-chat").decode
    found: dict[str, list[int]] = {}
    consumer = Consumer(client_config(settings, group_id="tests", enable_partition_eof=True))
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        ended = 0
        while ended < PARTITIONS:
            for message in consumer.consume(10_000, timeout=0.3):
                error = message.error()
                if error is not None:  # the client says more than where a partition ends
                    ended += error.code() == KafkaError._PARTITION_EOF
                else:
                    channel = (message.key() or b"").decode()
                    found.setdefault(channel, []).append(int(decode(message.value() or b"")["data"]["text"]))
    finally:
        consumer.close()
    return found
