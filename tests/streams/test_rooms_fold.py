"""Rooms in the fold: what is accepted follows from the stream before it, also where a worker dies between."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.channels.channel import ChannelRecord
from control.channels.channel import Settings as ChannelSettings
from control.channels.epochs import Epoch, Epochs
from control.entity.fold import Written
from control.entity.known import Known
from control.entity.types import Stamp
from control.rooms.state import Room, from_avro, to_avro
from kernel.access.signing import Signer
from kernel.log.positions import Kind, make_seq, partition_of
from kernel.log.records import Record, Write
from kernel.log.topics import TopicNames
from kernel.settings.reading import Auth
from schemas.codec import Codec
from streams.fold.channels import Channels
from streams.fold.checks.repeats import Repeats
from streams.fold.checks.rooms import RoomsFold
from streams.fold.judge import Judge
from streams.fold.memory import Memory, Outcome
from streams.fold.outputs.tallies import TalliesFold

NAMES = TopicNames("t")
PARTITIONS = 8
HERE = partition_of("room-study", PARTITIONS)
AT = 1_767_225_600_000
SIGNER = Signer(Auth(internal_secret="s" * 32))
EVENT, ROOM, ANSWER = Codec("event-chat"), Codec("room"), Codec("answer")


class Table:
    """Rooms' records, as they have been written."""

    def __init__(self, written: dict[bytes, bytes] | None = None) -> None:
        self.written = dict(written or {})

    def known(self, key: bytes) -> Known[Room]:
        value = self.written.get(key)
        room = None if value is None else from_avro(ROOM.decode(value))
        return Known(room, Stamp(0 if room is None else room.revision))

    def write(self, written: Written[Room]) -> list[Write]:
        self.written[written.key] = written.value or b""
        return [Write("t.rooms", written.value, written.key, 0)]


def tell(room: Room, users: Any) -> list[Write]:
    value = json.dumps({"room": room.room, "at": room.changed, "users": sorted(users)})
    return [Write("t.changes", value.encode(), b"", 0)]


FREE = ChannelSettings()


def make_judge(
    table: Table, *, settings: ChannelSettings = FREE, tallies: TalliesFold | None = None
) -> Judge:
    rooms = RoomsFold(table, table.write, lambda room: ROOM.encode(to_avro(room)), tell)

    def record_of(name: str) -> ChannelRecord:
        return ChannelRecord(channel=name, settings=settings)

    return Judge(
        Kind.CHAT,
        HERE,
        names=NAMES,
        channels=Channels(Kind.CHAT, record_of, ingest=PARTITIONS, fanout=PARTITIONS),
        epochs=Epochs([Epoch(1, "id", PARTITIONS, {})], HERE),
        memory=Memory(Repeats(600_000)),
        answers=4,
        signer=SIGNER,
        rooms=rooms,
        tallies=tallies,
    )


def record(
    offset: int, event: dict[str, Any], *, at: int = AT, signed: bool = True, asks: bool = True
) -> Record:
    value = json.dumps(event).encode()
    headers = list(SIGNER.headers("chat", "room-study", value) or ()) if signed else []
    if asks:
        headers.append(("touchline-answer", b"1:asker:%d" % offset))
    return Record(offset, at, b"room-study", value, headers)


def says(sender: str | None, text: str) -> dict[str, Any]:
    return {"type": "message", "sender": sender, "data": {"text": text}}


def changes(sender: str | None, what: str, **data: Any) -> dict[str, Any]:
    return {"type": "room", "sender": sender, "data": {"what": what, **data}}


def events(outcome: Outcome) -> list[dict[str, Any]]:
    return [EVENT.decode(w.value or b"") for w in outcome.writes if w.topic == "t.events.chat"]


def answers(outcome: Outcome) -> list[tuple[int | None, str | None]]:
    found = [ANSWER.decode(w.value or b"") for w in outcome.writes if w.topic == "t.answers"]
    return [(one["seq"], one["code"]) for one in found]


CREATE = changes("ana", "created", name="Study", users=["bob"])


def test_a_room_begins_with_its_first_event_and_messages_count_by_what_was_before() -> None:
    table = Table()
    outcome = make_judge(table).fold(
        [
            record(1, says("bob", "too soon")),
            record(2, CREATE),
            record(3, says("bob", "hello")),
            record(4, says("eve", "hello")),
            record(5, says(None, "hello")),
            record(6, changes("ana", "removed", users=["bob"])),
            record(7, says("bob", "too late")),
            record(8, changes("ana", "added", users=["bob", "eve", "ana"])),
            record(9, says("eve", "now")),
        ]
    )
    seqs = [make_seq(1, n) for n in range(10)]
    told = [(seqs[1 + n], code) for n, (_, code) in enumerate(answers(outcome))]
    assert [code for _, code in told] == [
        "not_found", None, None, "not_found", "not_found", None, "not_found", None, None,
    ]  # fmt: skip
    assert [event["seq"] for event in events(outcome)] == [seqs[n] for n in (2, 3, 6, 8, 9)]
    assert json.loads(events(outcome)[0]["data"]["extra"])["users"] == ["ana", "bob"]
    assert json.loads(events(outcome)[3]["data"]["extra"]) == {
        "what": "added", "by": "ana", "users": ["bob", "eve"],
    }  # fmt: skip
    room = table.known(b"room-study").state
    assert room is not None
    assert [one.user for one in room.members] == ["ana", "bob", "eve"]
    assert room.changed == seqs[8]


def test_what_no_door_has_signed_is_forbidden_as_ever() -> None:
    outcome = make_judge(Table()).fold(
        [record(1, CREATE, signed=False), record(2, says("ana", "x"), signed=False)]
    )
    assert [code for _, code in answers(outcome)] == ["forbidden", "forbidden"]


def test_a_change_that_changes_nothing_is_answered_with_the_one_that_did() -> None:
    judge = make_judge(Table())
    judge.fold([record(1, CREATE)])
    outcome = judge.fold([record(2, changes("ana", "added", users=["bob"])), record(3, CREATE)])
    assert answers(outcome) == [(make_seq(1, 1), None), (None, "exists")]
    assert events(outcome) == []


def test_settings_of_the_channel_bind_its_members() -> None:
    judge = make_judge(Table(), settings=ChannelSettings(slow_s=10, blocked=("darn",)))
    outcome = judge.fold(
        [
            record(1, CREATE),
            record(2, says("bob", "one")),
            record(3, says("bob", "two"), at=AT + 1000),
            record(4, says("ana", "darn"), at=AT + 1000),
            record(5, changes("ana", "added", users=["cat"]), at=AT + 1001),
        ]
    )
    assert [code for _, code in answers(outcome)] == [None, None, "rate_limited", "moderated", None]


@pytest.mark.parametrize(
    "data", [{}, {"what": "taken"}, {"what": "added", "users": [1]}, {"what": "created", "name": "\n"}]
)
def test_a_change_that_is_none_is_refused_and_the_next_one_counts(data: dict[str, Any]) -> None:
    judge = make_judge(Table())
    outcome = judge.fold([record(1, {"type": "room", "sender": "ana", "data": data}), record(2, CREATE)])
    assert len(events(outcome)) == 1
    assert outcome.rejected.total() == 1


# ── a worker dies between ────────────────────────────────────────────────────────────────────────────────

WHO = st.sampled_from(["ana", "bob", "cat"])
RECORDS = st.lists(
    st.one_of(
        st.builds(says, WHO, st.sampled_from(["a", "b"])),
        st.builds(lambda by, who: changes(by, "added", users=[who]), WHO, WHO),
        st.builds(lambda by, who: changes(by, "removed", users=[who]), WHO, WHO),
        st.builds(lambda by, who: changes(by, "role", roles={who: "moderator"}), WHO, WHO),
        st.builds(lambda by, name: changes(by, "changed", name=name), WHO, st.sampled_from(["x", "y"])),
        st.builds(lambda by: changes(by, "deleted"), WHO),
        st.builds(lambda by: changes(by, "created", name="n", users=["bob"]), WHO),
    ),
    max_size=25,
)


def shown(event: dict[str, Any]) -> dict[str, Any]:
    extra = event["data"]["extra"]
    return event | {"n": None, "data": event["data"] | {"extra": extra and json.loads(extra)}}


@settings(max_examples=100, deadline=None)
@given(RECORDS, st.data())
def test_whoever_takes_over_decides_as_whoever_died_did(
    given_: list[dict[str, Any]], data: st.DataObject
) -> None:
    records = [record(n, event, at=AT + n) for n, event in enumerate([CREATE, *given_])]
    whole = Table()
    judge = make_judge(whole)
    outcomes = [judge.fold([one]) for one in records]
    first = [event for outcome in outcomes for event in events(outcome)]
    # What Kafka has of it: all that was committed, and of the rest as much as each topic's producer got to.
    committed = data.draw(st.integers(0, len(records)))
    events_upto = data.draw(st.integers(committed, len(records)))
    states_upto = data.draw(st.integers(committed, len(records)))
    before = Table()
    for outcome in outcomes[:states_upto]:
        for write in outcome.writes:
            if write.topic == "t.rooms":
                before.written[write.key or b""] = write.value or b""
    on_the_log = [event for outcome in outcomes[:events_upto] for event in events(outcome)]
    judge = make_judge(before)
    tail = [event["seq"] & (1 << 43) - 1 for event in on_the_log]
    judge.memory.decided = frozenset(offset for offset in tail if offset >= committed)
    judge.memory.decided_until = max(judge.memory.decided, default=-1) + 1
    again = events(judge.fold(records[committed:]))
    known = {event["seq"]: event for event in first}
    assert [e["seq"] for e in again] == [e["seq"] for e in first if e["seq"] & (1 << 43) - 1 >= committed]
    assert [shown(event) for event in again] == [shown(known[event["seq"]]) for event in again]
    assert before.known(b"room-study").state == whole.known(b"room-study").state
