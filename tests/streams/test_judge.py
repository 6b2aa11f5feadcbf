"""The fold: what is written of each record, without Kafka."""

import json
from typing import Any

import pytest

from control.channels.channel import ChannelVersion, PastSettings, Settings
from kernel.log.positions import Kind, make_id, make_seq, partition_of
from kernel.log.records import ORIGIN, Record
from kernel.log.topics import MAX_RECORD_BYTES
from schemas.codec import Codec
from schemas.registry import RegistryAway
from streams.fold.checks.guards import Guard
from streams.fold.memory import Outcome
from tests.streams.judging import APPEND, HERE, PARTITIONS, chat, fold, make_judge


def test_an_event_goes_once_to_the_log_of_record_and_once_to_the_fan_out() -> None:
    event, fanout = fold(make_judge(), chat(41)).writes
    seq = make_seq(3, 41)
    assert (event.topic, event.key, event.partition, event.timestamp) == (
        *("t.events.chat", b"final"),
        *(HERE, APPEND),
    )
    value = Codec("event-chat").decode(event.value or b"")
    assert value["seq"] == seq
    assert value["id"] == make_id(Kind.CHAT, APPEND, HERE, 41)
    assert (value["channel"], value["server_ts"], value["partition"]) == ("final", APPEND, HERE)
    assert (fanout.topic, fanout.key, fanout.timestamp) == ("t.fanout.live", b"final#1#0", APPEND)
    assert fanout.partition == partition_of("final#1#0", PARTITIONS)
    delivered = Codec("fanout").decode(fanout.value or b"")
    assert delivered["stream"] == "chat:final"
    assert delivered["seq"] == seq
    assert json.loads(delivered["body"])["data"] == {"text": "hello"}


def test_avro_and_json_of_one_event_come_out_the_same() -> None:
    event = {"type": "message", "key": None, "sender": None, "client_ts": None}
    data = {"text": "hello", "target": None, "extra": None}
    avro = Record(1, APPEND, b"final", Codec("ingest-chat").encode({**event, "data": data}))
    assert fold(make_judge(), avro).writes == fold(make_judge(), chat(1)).writes


def test_every_shard_of_every_live_version_gets_the_event() -> None:
    writes = fold(make_judge(versions=(ChannelVersion(1, 1, 0), ChannelVersion(2, 3, 0))), chat(1)).writes
    assert [w.key for w in writes if w.topic == "t.fanout.live"] == [
        b"final#1#0",
        b"final#2#0",
        b"final#2#1",
        b"final#2#2",
    ]


def test_locations_have_a_fan_out_of_their_own() -> None:
    record = Record(1, APPEND, b"final", b'{"data":{"lat":1,"lon":2}}')
    assert [w.topic for w in fold(make_judge(Kind.LOCATION), record).writes] == [
        "t.events.location",
        "t.fanout.location",
    ]


def test_a_repeated_key_is_dropped_and_counted() -> None:
    judge = make_judge()
    outcome = fold(judge, chat(1, key="a"), chat(2, key="a"), chat(3, key="b"))
    assert (outcome.accepted, outcome.repeated) == ({b"final": 2}, 1)


def test_the_same_records_read_again_give_the_same_bytes() -> None:
    judge = make_judge()
    records = [chat(1, key="a"), chat(2, key="a"), chat(3), Record(4, APPEND, b"final", b"junk")]
    assert fold(judge, *records).writes == fold(judge, *records).writes


def test_a_record_in_a_wrong_partition_is_put_back_with_its_origin() -> None:
    record = chat(7)._replace(headers=[("trace", b"1")])
    outcome = fold(make_judge(partition=(HERE + 1) % PARTITIONS), record)
    (write,) = outcome.writes
    assert (write.topic, write.key, write.value, write.partition) == (
        *("t.ingest.chat", b"final"),
        *(record.value, HERE),
    )
    assert write.headers == [("trace", b"1"), (ORIGIN, f"{(HERE + 1) % PARTITIONS}:7".encode())]
    assert outcome.replaced == 1


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record(1, APPEND, b"final", b"\x00junk"), "unknown_schema"),
        (Record(1, APPEND, b"final", b"junk"), "undecodable"),
        (Record(1, APPEND, b"final", None), "undecodable"),
        (Record(1, APPEND, b"final", b"{}"), "invalid_event"),
        (Record(1, APPEND, b"final", b'{"data":{"text":""}}'), "invalid_event"),
        (Record(1, APPEND, None, b'{"data":{"text":"a"}}'), "bad_channel"),
        (Record(1, APPEND, b"\xff", b'{"data":{"text":"a"}}'), "bad_channel"),
        (Record(1, APPEND, b"a b", b'{"data":{"text":"a"}}'), "bad_channel"),
        (Record(1, APPEND, b"final", b"{" + b" " * 2_000_000), "too_large"),
    ],
)
def test_what_is_refused_is_written_with_its_reason_and_bytes(record: Record, reason: str) -> None:
    outcome = fold(make_judge(), record, chat(2))
    rejection = Codec("rejection").decode(outcome.writes[0].value or b"")
    assert outcome.writes[0].topic == "t.rejected"
    assert rejection["reason"] == reason
    assert (record.value or b"").startswith(rejection["value"])
    assert (rejection["topic"], rejection["partition"], rejection["offset"]) == ("t.ingest.chat", HERE, 1)
    assert rejection["record_key"] == record.key
    assert outcome.rejected == {reason: 1}
    assert outcome.accepted == {b"final": 1}, "nothing stops behind it"


def test_a_version_gets_what_was_appended_in_its_time() -> None:
    versions = (ChannelVersion(1, 1, 0, APPEND + 20), ChannelVersion(2, 2, APPEND + 10))
    judge = make_judge(versions=versions)

    def keys(at: int) -> list[bytes | None]:
        return [w.key for w in fold(judge, chat(1, at=at)).writes if w.topic == "t.fanout.live"]

    assert keys(APPEND) == [b"final#1#0"]
    assert keys(APPEND + 10) == [b"final#1#0", b"final#2#0", b"final#2#1"]
    assert keys(APPEND + 20) == [b"final#2#0", b"final#2#1"]
    assert keys(APPEND) == [b"final#1#0"], "a record that is read again goes where it went"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (Settings(publishers=("ana",)), "forbidden"),
        (Settings(members_only=True, members=("ana",)), "forbidden"),
        (Settings(max_text=4), "too_large"),
        (Settings(blocked=("HELLO",)), "moderated"),
    ],
)
def test_the_channels_settings_are_kept(settings: Settings, reason: str) -> None:
    judge = make_judge(settings=settings)
    posted = json.dumps({"sender": "bob", "key": "k", "data": {"text": "hello"}}).encode()
    outcome = fold(judge, Record(1, APPEND, b"final", posted))
    rejection = Codec("rejection").decode(outcome.writes[0].value or b"")
    assert outcome.rejected == {reason: 1}
    assert (rejection["sender"], rejection["key"]) == ("bob", "k")
    allowed = json.dumps({"sender": "ana", "data": {"text": "hi"}}).encode()
    assert fold(judge, Record(2, APPEND, b"final", allowed)).accepted == {b"final": 1}


def test_a_record_is_judged_by_the_settings_of_its_own_time() -> None:
    judge = make_judge(
        settings=Settings(blocked=("hello",)),
        settings_since=APPEND + 10,
        past_settings=(PastSettings(0, Settings()),),
    )
    assert fold(judge, chat(1, at=APPEND + 10)).rejected == {"moderated": 1}
    assert fold(judge, chat(1, at=APPEND + 9)).accepted


def test_slow_mode_binds_each_sender_by_append_time() -> None:
    judge = make_judge(settings=Settings(slow_s=5.0))

    def post(offset: int, sender: str, at: int) -> Outcome:
        value = json.dumps({"sender": sender, "data": {"text": "hi"}}).encode()
        return fold(judge, Record(offset, at, b"final", value))

    assert post(1, "ana", APPEND).accepted
    assert post(2, "ana", APPEND + 4999).rejected == {"rate_limited": 1}
    assert post(3, "bob", APPEND + 4999).accepted
    assert post(4, "ana", APPEND + 5000).accepted


def test_a_rate_that_binds_producers_allows_a_burst() -> None:
    judge = make_judge(settings=Settings(rate_per_s=2.0, rate_binds_producers=True))
    posts = [Record(n, APPEND, b"final", b'{"sender":"ana","data":{"text":"hi"}}') for n in range(6)]
    outcome = fold(judge, *posts)
    assert outcome.accepted == {b"final": 4}
    assert outcome.rejected == {"rate_limited": 2}


def test_decisions_of_a_worker_that_is_gone_are_repeated_not_taken_anew() -> None:
    judge = make_judge(settings=Settings(blocked=("hello",)))
    judge.memory.decided_until, judge.memory.decided = 3, frozenset({1})
    outcome = fold(judge, chat(1, "hello"), chat(2, "fine"), chat(3, "hello"), chat(4, "fine"))
    seqs = [
        Codec("event-chat").decode(w.value or b"")["seq"] & 0xFF
        for w in outcome.writes
        if w.topic == "t.events.chat"
    ]
    assert seqs == [1, 4]
    assert outcome.rejected == {"moderated": 1}


@pytest.mark.parametrize("lay", [b"3:7", b"retry:3:7"], ids=["by a worker", "by an operator"])
def test_a_record_put_back_twice_is_one_event(lay: bytes) -> None:
    judge = make_judge()
    origin: Any = [(ORIGIN, lay)]
    outcome = fold(judge, chat(1)._replace(headers=origin), chat(2)._replace(headers=origin))
    assert (outcome.accepted, outcome.repeated) == ({b"final": 1}, 1)
    assert outcome.writes[0].headers == origin


def test_an_error_that_nobody_thought_of_refuses_its_record_and_the_next_one_flows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = make_judge(settings=Settings(max_text=100))

    def surprised(_: Any, event: dict[str, Any], *__: Any) -> None:
        if event["data"]["text"] == "surprise":
            raise ZeroDivisionError

    monkeypatch.setattr(Guard, "check", surprised)
    outcome = fold(judge, chat(1), chat(2, "surprise", key="k"), chat(3))
    assert outcome.accepted == {b"final": 2}
    assert outcome.rejected == {"not_processed": 1}
    rejection = next(w for w in outcome.writes if w.topic == "t.rejected")
    assert Codec("rejection").decode(rejection.value or b"")["key"] == "k"


def test_a_fault_that_says_nothing_about_the_record_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise RegistryAway

    monkeypatch.setattr(Guard, "check", away)
    with pytest.raises(RegistryAway):
        fold(make_judge(settings=Settings(max_text=100)), chat(1))


LARGE = MAX_RECORD_BYTES - 20


@pytest.mark.parametrize(
    "record",
    [
        Record(1, APPEND, b"k" * LARGE, b"junk"),
        Record(1, APPEND, b"\xff" * LARGE, None),
        Record(1, APPEND, b"final", b"x" * LARGE),
        Record(1, APPEND, b"final", b'{"data":{"text":"hi"}}', [(ORIGIN, b"9" * LARGE)]),
        Record(1, APPEND, b"final", b'{"data":{"text":"hi"}}', [("trace", b"9" * LARGE)]),
    ],
    ids=["key", "key that is no text", "value", "origin", "header"],
)
@pytest.mark.parametrize("partition", [HERE, (HERE + 1) % PARTITIONS], ids=["its partition", "another"])
def test_whatever_comes_what_is_written_of_it_fits_into_a_record(record: Record, partition: int) -> None:
    for write in fold(make_judge(partition=partition), record).writes:
        headers = sum(len(name) + len(value or b"") for name, value in write.headers or ())
        assert len(write.value or b"") + len(write.key or b"") + headers < MAX_RECORD_BYTES


def test_an_event_that_is_too_large_for_all_the_shards_of_its_channel_is_refused() -> None:
    judge = make_judge(versions=(ChannelVersion(1, 256, 0), ChannelVersion(2, 256, 0)))
    outcome = fold(judge, chat(1, "x" * 200_000), chat(2))
    assert outcome.rejected == {"too_large": 1}
    assert outcome.accepted == {b"final": 1}


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), 5e-324])
def test_a_channel_whose_record_says_what_no_command_may_takes_events_all_the_same(rate: float) -> None:
    judge = make_judge(settings=Settings(rate_per_s=rate, rate_binds_producers=True, slow_s=rate))
    assert not fold(judge, chat(1)).rejected


def test_the_fan_out_says_beside_the_body_what_edges_decide_by() -> None:
    body = {"type": "edit", "sender": "ana", "data": {"text": "x", "target": "77"}}
    outcome = fold(make_judge(), Record(1, APPEND, b"final", json.dumps(body).encode()))
    record = Codec("fanout").decode(outcome.writes[1].value or b"")
    assert (record["type"], record["sender"], record["target"], record["n"]) == ("edit", "ana", "77", None)
