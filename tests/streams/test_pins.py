"""Pins in the fold: who may, and what is said of them to the owner of the channel's record."""

import json
from typing import Any

import msgspec
import pytest

from control.channels.channel import ChannelRecord, Pinned, Settings, encoded, from_avro, with_pinned
from control.channels.commands import SET_PINNED
from control.commands.checks import check_command
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, make_id, partition_of
from kernel.log.records import OFFICE, VIA, Headers, Record
from schemas.codec import Codec
from streams.fold.outputs.pinning import Pinning
from tests.streams.judging import APPEND, HERE, PARTITIONS, fold, make_judge

TARGET = make_id(Kind.CHAT, APPEND - 1000, HERE, 1)
#: What edges and gateways say of what they let through: of a user who moderates, and of another one.
BY_A_MODERATOR: Headers = [(VIA, b"edge"), (OFFICE, b"edge")]
BY_A_USER: Headers = [(VIA, b"edge")]
codec = Codec("control")


def pin(offset: int, type_: str = "pin", headers: Headers | None = None) -> Record:
    body = {"type": type_, "sender": "ana", "data": {"target": TARGET}}
    return Record(offset, APPEND + offset, b"final", json.dumps(body).encode(), headers)


def pinning(partitions: int = PARTITIONS) -> Pinning:
    return Pinning("t.changes", lambda: partitions, codec.encode)


def test_a_pin_is_said_to_the_owner_of_the_channel_and_again_the_same() -> None:
    def said() -> list[tuple[dict[str, Any], bytes | None, int | None]]:
        judge = make_judge(pinning=pinning())
        outcome = fold(judge, pin(3, headers=BY_A_MODERATOR), pin(4, "unpin", BY_A_MODERATOR))
        assert not outcome.rejected
        return [
            (codec.decode(write.value or b""), write.key, write.partition)
            for write in outcome.writes
            if write.topic == "t.changes"
        ]

    found = said()
    assert found == said()
    assert {(key, partition) for _, key, partition in found} == {
        (b"final", partition_of("final", PARTITIONS))
    }
    assert [(one["command"], one["actor"], one["at"]) for one, _, _ in found] == [
        (SET_PINNED, "ana", APPEND + 3),
        (SET_PINNED, "ana", APPEND + 4),
    ]
    assert [json.loads(one["arguments"]) for one, _, _ in found] == [
        {"order": make_id(Kind.CHAT, APPEND + n, HERE, n), "target": TARGET, "on": on, "by": "ana"}
        for n, on in ((3, True), (4, False))
    ]


def test_of_users_those_pin_whom_a_door_calls_moderators_and_programs_are_trusted() -> None:
    judge = make_judge(pinning=pinning())
    outcome = fold(judge, pin(3, headers=BY_A_USER), pin(4, headers=BY_A_MODERATOR), pin(5))
    assert outcome.rejected == {"forbidden": 1}
    assert sum(write.topic == "t.changes" for write in outcome.writes) == 2


def test_who_pins_need_not_publish_there_nor_wait_and_pins_have_no_number() -> None:
    judge = make_judge(pinning=pinning(), settings=Settings(publishers=("bob",), slow_s=60.0, numbered=True))
    outcome = fold(judge, pin(3, headers=BY_A_MODERATOR), pin(4, headers=BY_A_MODERATOR))
    assert not outcome.rejected
    events = [w.value for w in outcome.writes if w.topic == "t.events.chat"]
    assert [Codec("event-chat").decode(value or b"").get("n") for value in events] == [None, None]


def test_without_a_target_it_pins_nothing() -> None:
    record = Record(3, APPEND, b"final", b'{"type":"pin","data":{}}', BY_A_MODERATOR)
    assert fold(make_judge(pinning=pinning()), record).rejected == {"invalid_event": 1}


# ── what the channel's record makes of it ────────────────────────────────────────────────────────────────


def order(number: int, target: str = TARGET) -> Pinned:
    return Pinned(make_id(Kind.CHAT, APPEND + number, HERE, number), target, "ana", APPEND + number)


def test_of_two_orders_the_newer_one_holds_whichever_is_read_last() -> None:
    other = make_id(Kind.CHAT, APPEND - 500, HERE, 2)
    record = ChannelRecord(channel="final")
    pinned = with_pinned(with_pinned(record, order(3), on=True), order(5, other), on=True)
    assert pinned.pinned == order(5, other)
    # Read again after a crash, and an end of the one that it replaced.
    for late, on in ((order(3), True), (order(5, other), True), (order(6), False)):
        assert with_pinned(pinned, late, on=on) is pinned
    ended = with_pinned(pinned, order(7, other), on=False)
    assert ended.pinned is not None
    assert ended.pinned.target == ""
    assert with_pinned(ended, order(5, other), on=True) is ended
    assert with_pinned(record, order(3), on=False) is record


@pytest.mark.parametrize(
    "wrong",
    [
        {"order": "x"},
        {"order": None},
        {"target": ""},
        {"target": "1" * 41},
        {"on": 1},
        {"by": 7},
        {"by": "x" * 129},
    ],
)
def test_a_command_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    said = {"order": "17", "target": "16", "on": True, "by": None}
    check_command("final", SET_PINNED, said)
    with pytest.raises(TouchlineError) as found:
        check_command("final", SET_PINNED, said | wrong)
    assert found.value.code == "bad_request"
    with pytest.raises(TouchlineError):
        check_command("final~1", SET_PINNED, said)


def test_a_record_with_a_pin_is_read_as_it_was_written() -> None:
    record = ChannelRecord(channel="final", pinned=order(3))
    channel = Codec("channel")
    read = from_avro(channel.decode(encoded(record, channel)))
    assert msgspec.structs.replace(read, versions=record.versions) == record
