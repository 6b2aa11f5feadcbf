"""After partitions were added, a channel's events of before lie in another partition: history has both."""

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from history import History
from kernel.clock import SystemClock
from kernel.log.kafka import client_config
from kernel.log.positions import Kind, Stream, make_seq, partition_of
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from tests.accepted import START_MS, chat, write
from tests.history.conftest import Publish
from tests.pipeline import eventually

CHANNEL = next(f"c{n}" for n in range(100) if partition_of(f"c{n}", 2) != partition_of(f"c{n}", 5))


async def test_events_of_an_earlier_epoch_are_still_there(
    log_settings: Settings, publish_chat: Publish
) -> None:
    publish_chat(CHANNEL, range(10))
    names, admin = topic_names(log_settings), AdminClient(client_config(log_settings))
    for future in admin.create_partitions([NewPartitions(names.events[Kind.CHAT], 5)]).values():
        future.result()
    topic = names.events[Kind.CHAT]
    eventually(
        "the broker knows the new partitions",
        lambda: len(admin.list_topics(topic, timeout=60).topics[topic].partitions) == 5,
    )
    producer = Producer(client_config(log_settings))
    epochs = [
        {"topic": names.ingest[Kind.CHAT], "topic_id": "x", "partitions": n, "epoch": e, "starts": {}}
        for e, n in ((1, 2), (2, 5))
    ]
    registry = Codec("channel")
    default = {"lanes": 0, "versions": [], "settings": DEFAULTS}
    producer.produce(
        names.channels, registry.encode({"channel": "$epochs", **default, "epochs": epochs}), key="$epochs"
    )
    assert producer.flush(60) == 0
    later = [chat(CHANNEL, n, "later", at=START_MS + 1000 + n, partitions=5, epoch=2) for n in range(3)]
    write(log_settings, Kind.CHAT, later)
    whole = [make_seq(1, n) for n in range(10)] + [make_seq(2, n) for n in range(3)]
    stream = Stream(Kind.CHAT, CHANNEL)
    async with History(log_settings, SystemClock()) as history:
        assert (await history.read(stream, after=0)).seqs == whole
        page = await history.read(stream, after=whole[7], limit=4)
        assert (page.seqs, page.more) == (whole[8:12], True)
        page = await history.read(stream, before=whole[11], limit=4)
        assert (page.seqs, page.more) == (whole[7:11], True)
        assert (await history.read(stream, limit=13)).more is False


DEFAULTS = {
    "members_only": False,
    "members": [],
    "rate_per_s": None,
    "rate_binds_producers": False,
    "max_text": None,
    "blocked": [],
    "min_shards": None,
    "max_shards": None,
}
