"""What was set before channels lay in several partitions is in force, and goes on from there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from control.channels.channel import ChannelRecord, Settings, from_avro, to_avro
from control.commands.sending import send_command
from control.topic_tables.snapshot import read_channel
from kernel.clock import SystemClock
from kernel.log.positions import partition_of
from kernel.log.topics import topic_names
from schemas.registry import codec_for
from tests.control.rig import read_whole
from tests.pipeline import Pipeline, eventually, running

CLOCK = SystemClock()
#: A channel whose records belong elsewhere than where they were written before.
NAME = next(name for name in map("old-{}".format, range(100)) if partition_of(name, 4) == 2)


def put(pipeline: Pipeline, topic: str, key: str, value: bytes, partition: int) -> None:
    producer = Producer({"bootstrap.servers": pipeline.settings.kafka.bootstrap_servers})
    producer.produce(topic, value, key, partition)
    assert producer.flush(60) == 0


def held(pipeline: Pipeline) -> Settings:
    record = read_channel(pipeline.settings, CLOCK, NAME)
    return record.settings if record else Settings()


@pytest.mark.slow
def test_channels_with_settings_set_before_are_in_force(kafka_servers: str, tmp_path: Path) -> None:
    with running(kafka_servers, "http://127.0.0.1:9", tmp_path, TOUCHLINE_TOPICS_PARTITIONS="4") as pipeline:
        names, codec = topic_names(pipeline.settings), codec_for(pipeline.settings, "channel")
        # As the version before has written it: all in the first partition, with a place on touchline.control.
        old = ChannelRecord(channel=NAME, settings=Settings(slow_s=5), lanes=3, revision=7, commands={"2": 1})
        put(pipeline, names.channels, NAME, codec.encode(to_avro(old)), 0)
        # Two commands of then: the first is in the record, the second waits to be folded.
        control = codec_for(pipeline.settings, "control").encode
        for arguments in ({"slow_s": 1}, {"max_text": 80}):
            text = msgspec.json.encode(arguments).decode()
            command: dict[str, Any] = {"command": "set_channel", "arguments": text}
            put(pipeline, names.control, NAME, control(command), 2)
        pipeline.start("stream")

        def is_(wanted: Settings) -> Callable[[], bool]:
            return lambda: held(pipeline) == wanted

        eventually("the command that waited is folded", is_(Settings(slow_s=5, max_text=80)))
        send_command(pipeline.settings, CLOCK, NAME, "set_channel", {"blocked": ["spoiler"]})
        eventually("a new one too", is_(Settings(slow_s=5, max_text=80, blocked=("spoiler",))))
        record = read_channel(pipeline.settings, CLOCK, NAME)
        assert record is not None
        assert (record.lanes, record.revision) == (3, 9)
        # The newest lies where it belongs. The old one stays where it was: older roles read it.
        send_command(pipeline.settings, CLOCK, NAME, "set_channel", {"slow_s": 2})

        def lie() -> dict[int, int]:
            found: dict[int, int] = {}
            for record in read_whole(pipeline.settings.kafka.bootstrap_servers, names.channels):
                if record.key() == NAME.encode():
                    if record.value() is None:
                        found.pop(record.partition(), None)
                    else:
                        found[record.partition()] = from_avro(codec.decode(record.value())).revision
            return found

        eventually("the newest is in its own partition", lambda: lie() == {0: 7, 2: 10})
        assert held(pipeline).slow_s == 2
