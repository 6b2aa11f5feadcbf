"""The fold: who asks is told what became of a record."""

from typing import Any

from control.channels.channel import ChannelRecord, Settings
from control.channels.epochs import Epoch, Epochs
from kernel.log.positions import Kind, make_id, make_seq
from kernel.log.records import Record
from schemas.codec import Codec
from streams.fold.channels import Channels
from streams.fold.checks.repeats import Repeats
from streams.fold.judge import Judge
from streams.fold.memory import Memory, Outcome
from tests.streams.judging import APPEND, HERE, NAMES, PARTITIONS, chat, fold


def answering(**known: Any) -> Judge:
    partition = known.pop("partition", HERE)
    channels = Channels(
        Kind.CHAT, lambda _: ChannelRecord(channel="final", **known), ingest=PARTITIONS, fanout=PARTITIONS
    )
    return Judge(
        *(Kind.CHAT, partition),
        names=NAMES,
        channels=channels,
        epochs=Epochs([Epoch(3, "id", PARTITIONS, {})], partition),
        memory=Memory(Repeats(600_000)),
        answers=4,
    )


def asked(record: Record, number: int, partition: int = 2) -> Record:
    return record._replace(headers=[("touchline-answer", b"%d:door:%d" % (partition, number))])


def answers(outcome: Outcome) -> list[tuple[int, Any]]:
    told = [write for write in outcome.writes if write.topic == "t.answers"]
    assert all((write.key, write.partition) == (b"door", 2) for write in told)
    read = [Codec("answer").decode(write.value or b"") for write in told]
    return [(one["number"], one["code"] or (one["seq"], one["id"])) for one in read]


def place(offset: int) -> tuple[int, str]:
    return make_seq(3, offset), make_id(Kind.CHAT, APPEND, HERE, offset)


def test_who_asks_is_told_what_became_of_the_record_and_nobody_else_is() -> None:
    judge = answering(settings=Settings(blocked=("spoiler",)))
    told = fold(
        judge,
        asked(chat(1, key="k"), 1),
        chat(2),
        asked(chat(3, key="k"), 2),
        asked(chat(4, "a spoiler"), 3),
        asked(Record(5, APPEND, b"final", b"no event"), 4),
        asked(chat(6), 5, partition=9),
    )
    assert answers(told) == [(1, place(1)), (2, place(1)), (3, "moderated"), (4, "undecodable")]


def test_who_asked_a_worker_that_is_gone_is_told_by_the_next_one() -> None:
    """It wrote its events, and died before it answered: 1 and 2 count, 3 was a repeat, 4 was refused."""
    judge = answering(settings=Settings(blocked=("spoiler",)))
    judge.memory.decided, judge.memory.decided_until = frozenset({1, 2, 5}), 6
    records = [asked(chat(n, key="k" if n in (1, 3) else None), n) for n in (1, 2, 3)]
    told = fold(judge, *records, asked(chat(4, "a spoiler"), 4))
    assert answers(told) == [(1, place(1)), (2, place(2)), (3, place(1)), (4, "moderated")]


def test_a_record_that_is_put_back_takes_the_question_along() -> None:
    (put_back,) = fold(answering(partition=HERE ^ 1), asked(chat(1), 7)).writes
    assert put_back.topic == "t.ingest.chat"
    assert ("touchline-answer", b"2:door:7") in (put_back.headers or [])
