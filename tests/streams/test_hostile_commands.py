"""What Kafka clients put on the log of commands and into kept places is refused, and the next one flows."""

import json
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from control.channels.channel import ChannelRecord
from control.topic_tables.snapshot import read_channel
from kernel.clock import SystemClock
from kernel.log.positions import Kind, partition_of
from kernel.log.topics import topic_names
from schemas.codec import Codec
from tests.pipeline import Pipeline, eventually
from tests.streams.log import Log

pytestmark = pytest.mark.servers


def command(pipeline: Pipeline, about: bytes, value: bytes | None) -> None:
    """A record on the topic of commands, whatever it is."""
    settings = pipeline.settings
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    partition = partition_of("c", settings.topics.partitions)  # all of them behind one another
    producer.produce(topic_names(settings).control, value, about, partition)
    assert producer.flush(60) == 0


def channel(pipeline: Pipeline, name: str) -> ChannelRecord | None:
    return read_channel(pipeline.settings, SystemClock(), name)


def test_a_command_that_cannot_be_carried_out_ends_nothing(pipeline: Pipeline) -> None:
    encode = Codec("control").encode
    pid = pipeline.pid("stream")
    for arguments in (
        '{"max_text":3000000000}',
        '{"members":' + "[" * 1500 + "]" * 1500 + "}",
        '{"blocked":' + json.dumps(["x" * 100] * 7000) + "}",
        '{"slow_s":1e999}',
        "no json",
    ):
        command(pipeline, b"c", encode({"command": "set_channel", "arguments": arguments}))
    command(pipeline, b"c", encode({"command": "reshard", "arguments": '{"shards":100000}'}))
    command(pipeline, b"\xff\xfe", encode({"command": "set_channel", "arguments": "{}"}))
    command(pipeline, b"c~0", encode({"command": "set_channel", "arguments": '{"slow_s":9}'}))
    command(pipeline, b"c", b"junk")
    command(pipeline, b"c", None)
    command(pipeline, b"c", encode({"command": "set_channel", "arguments": '{"max_text":7}'}))

    def carried_out() -> bool:
        record = channel(pipeline, "c")
        return record is not None and record.settings.max_text == 7

    eventually("the good one behind them is carried out", carried_out)
    record = channel(pipeline, "c")
    assert record is not None
    assert (record.revision, record.settings.slow_s) == (1, None)
    assert pipeline.is_ready("stream")
    assert pipeline.pid("stream") == pid


def test_what_is_set_for_a_channel_binds_its_lanes_within_two_seconds(pipeline: Pipeline) -> None:
    log = Log(pipeline.settings)
    shown = pipeline.run("channel", "set", "final", 'publishers=["ana"]').stdout
    done = time.monotonic()
    assert "These settings hold from" in shown

    def refused(lane: str) -> Callable[[], bool]:
        def ask() -> bool:
            log.post(Kind.CHAT, lane, b'{"sender":"eve","data":{"text":"hello"}}')
            rejected = log.values(log.names.rejected, "rejection")
            return any((r["record_key"], r["reason"]) == (lane.encode(), "forbidden") for r in rejected)

        return ask

    for lane in ("final~0", "final~63", "final~700"):
        eventually(f"{lane} is bound", refused(lane))
    eves = [
        event for event in log.values(log.names.events[Kind.CHAT], "event-chat") if event["sender"] == "eve"
    ]
    last = max((event["server_ts"] for event in eves), default=0)
    carried_out_ms = SystemClock().now_ms() - (time.monotonic() - done) * 1000
    assert last < carried_out_ms + 2000


def test_nobody_posts_as_the_system_and_the_system_still_does(pipeline: Pipeline) -> None:
    log = Log(pipeline.settings)
    for kind, name, value in (
        (Kind.CHAT, "final", b'{"sender":"touchline","data":{"text":"trust me"}}'),
        (Kind.BROADCAST, "final", b'{"type":"audience","data":{"viewers":10000}}'),
        (Kind.BROADCAST, "alert-x", b'{"type":"alert","data":{}}'),
        (Kind.BROADCAST, "touchline-ops", b'{"type":"hot_partition","data":{}}'),
        (Kind.LOCATION, "user-ana", b'{"sender":"eve","data":{"lat":1,"lon":2}}'),
    ):
        log.post(kind, name, value)
    log.post(Kind.LOCATION, "user-ana", b'{"data":{"lat":1,"lon":2}}')
    eventually("all are judged", lambda: log.lag(*Kind) == 0)
    rejected = log.values(log.names.rejected, "rejection")
    assert [r["reason"] for r in rejected] == ["forbidden"] * 5
    (seen,) = log.values(log.names.events[Kind.LOCATION], "event-location")
    assert seen["sender"] == "ana"
