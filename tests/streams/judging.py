"""Judges without Kafka, and records for them."""

import json
from typing import Any

from control.channels.channel import ChannelRecord
from control.channels.epochs import Epoch, Epochs
from kernel.access.signing import Signer
from kernel.log.positions import Kind, partition_of
from kernel.log.records import Record
from kernel.log.topics import TopicNames
from streams.fold.channels import Channels
from streams.fold.checks.repeats import Repeats
from streams.fold.judge import Judge
from streams.fold.memory import Memory, Outcome
from streams.fold.outputs.pinning import Pinning

NAMES = TopicNames("t")
PARTITIONS = 8
HERE = partition_of("final", PARTITIONS)
APPEND = 1_767_225_600_000


def make_judge(
    kind: Kind = Kind.CHAT,
    *,
    partition: int = HERE,
    signer: Signer | None = None,
    attachments: int = 0,
    pinning: Pinning | None = None,
    **known: Any,
) -> Judge:
    """A judge for the channel `final`; `known` is what the registry says of it."""
    record = ChannelRecord(**{"channel": "final", **known})
    channels = Channels(kind, lambda _: record, ingest=PARTITIONS, fanout=PARTITIONS)
    memory = Memory(Repeats(600_000))
    return Judge(
        kind,
        partition,
        names=NAMES,
        channels=channels,
        epochs=Epochs([Epoch(3, "id", PARTITIONS, {})], partition),
        memory=memory,
        attachments=attachments,
        signer=signer,
        pinning=pinning,
    )


def chat(offset: int, text: str = "hello", *, key: str | None = None, at: int = APPEND) -> Record:
    body = {"type": "message", "data": {"text": text}} | ({"key": key} if key else {})
    return Record(offset, at, b"final", json.dumps(body).encode())


def fold(judge: Judge, *records: Record) -> Outcome:
    return judge.fold(records)
