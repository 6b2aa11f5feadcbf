"""Numbered channels: 1, 2, 3, … without a hole, whoever judges, and however often; without Kafka."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from control.channels.channel import ChannelRecord, PastSettings, Settings
from control.channels.epochs import Epoch, Epochs
from control.counts import Count
from kernel.log.positions import Kind, make_seq, split_seq
from kernel.log.records import Record, Write
from kernel.log.topics import TopicNames
from schemas.catalog import Version, built_in
from schemas.codec import Codec
from streams.fold.channels import Channels
from streams.fold.checks.repeats import Repeats
from streams.fold.judge import Judge
from streams.fold.memory import Memory, Outcome
from streams.fold.states import States

NAMES = TopicNames("t")
APPEND = 1_767_225_600_000
#: In one partition, both of them.
ONE, OTHER = "one", "other"
NUMBERED = Settings(numbered=True, blocked=("spoiler",))


def make_judge(
    kind: Kind = Kind.CHAT, *, kept: dict[str, Count] | None = None, epoch: int = 1, **known: Any
) -> Judge:
    given = {"settings": NUMBERED, **known}
    channels = Channels(kind, lambda name: ChannelRecord(channel=name, **given), ingest=1, fanout=1)
    counts = {} if kept is None else kept
    return Judge(
        *(kind, 0),
        names=NAMES,
        channels=channels,
        epochs=Epochs([Epoch(epoch, "id", 1, {})], 0),
        memory=Memory(Repeats(600_000), counts=States(counts.get)),
    )


def post(offset: int, text: str = "hello", *, to: str = ONE, at: int = APPEND, **fields: Any) -> Record:
    data = {"text": text, **({"target": fields.pop("target")} if "target" in fields else {})}
    return Record(offset, at, to.encode(), json.dumps({"data": data, **fields}).encode())


def events(writes: Sequence[Write], kind: Kind = Kind.CHAT) -> list[dict[str, Any]]:
    decode = Codec(f"event-{kind}").decode
    return [decode(w.value or b"") for w in writes if w.topic == NAMES.events[kind]]


def numbers(outcome: Outcome, channel: str = ONE) -> list[int | None]:
    return [event["n"] for event in events(outcome.writes) if event["channel"] == channel]


def test_accepted_events_are_counted_in_each_stream_and_nothing_else_is() -> None:
    outcome = make_judge().fold(
        [
            post(0, key="a"),
            post(1, key="a"),
            post(2, "a spoiler"),
            Record(3, APPEND, ONE.encode(), b"junk"),
            post(4, to=OTHER),
            post(5),
            post(6, to=OTHER),
        ]
    )
    assert (numbers(outcome), numbers(outcome, OTHER)) == ([1, 2], [1, 2])


def test_an_event_that_is_changed_keeps_its_number_and_changes_have_none() -> None:
    outcome = make_judge().fold(
        [
            post(0),
            post(1, "new", type="edit", target="7"),
            post(2),
            post(3, "", type="retract", target="7"),
            post(4),
        ]
    )
    assert numbers(outcome) == [1, None, 2, None, 3]


def test_the_number_is_beside_the_body_and_in_it() -> None:
    outcome = make_judge().fold([post(0), post(1, "new", type="edit", target="7")])
    fanned_out = [Codec("fanout").decode(w.value or b"") for w in outcome.writes if ".fanout." in w.topic]
    assert [record["n"] for record in fanned_out] == [1, None]
    bodies = [json.loads(record["body"]) for record in fanned_out]
    assert [body.get("n") for body in bodies] == [1, None]
    assert list(bodies[0])[:4] == ["stream", "seq", "id", "n"]


def test_each_kind_of_a_channel_counts_for_itself() -> None:
    kept = {ONE: Count("broadcast:one", 41, 5)}
    judge = make_judge(Kind.BROADCAST, kept=kept)
    goal = Record(9, APPEND, ONE.encode(), b'{"type":"goal","data":{}}')
    (event,) = events(judge.fold([goal]).writes, Kind.BROADCAST)
    assert event["n"] == 42
    assert judge.memory.counts.take(10) == {ONE: Count("broadcast:one", 42, event["seq"])}


def test_a_channel_that_is_not_numbered_is_written_as_ever() -> None:
    """Roles that are not upgraded yet read it."""

    def version(judge: Judge) -> Version | None:
        (event, _) = judge.fold([post(0)]).writes
        return built_in().by_id(int.from_bytes((event.value or b"")[1:5]))

    assert version(make_judge(settings=Settings())) == Version("event-chat", 1)
    assert version(make_judge()) == Version("event-chat", 2)


def test_a_channel_that_becomes_numbered_begins_at_1_and_goes_on_where_it_was() -> None:
    judge = make_judge(
        settings=NUMBERED,
        settings_since=APPEND + 30,
        past_settings=(
            PastSettings(0, Settings()),
            PastSettings(APPEND + 10, NUMBERED),
            PastSettings(APPEND + 20, Settings()),
        ),
    )
    outcome = judge.fold([post(n, at=APPEND + 5 * n) for n in range(8)])
    assert numbers(outcome) == [None, None, 1, 2, None, None, 3, 4]


def test_a_numbered_channel_has_no_lanes() -> None:
    outcome = make_judge().fold([post(0, to="one~0"), post(1)])
    assert outcome.rejected == {"bad_channel": 1}
    assert "post to it, not to one~0" in str(Codec("rejection").decode(outcome.writes[0].value or b""))
    assert numbers(outcome) == [1]


def test_numbers_go_on_in_a_topic_that_is_made_anew() -> None:
    judge = make_judge(epoch=4, kept={ONE: Count("chat:one", 8, make_seq(3, 500))})
    assert numbers(judge.fold([post(0), post(1)])) == [9, 10]


def test_what_was_decided_before_keeps_the_number_that_it_has() -> None:
    """A worker of the version before numbered nothing: neither does who repeats its decisions."""
    judge = make_judge(kept={ONE: Count("chat:one", 3, make_seq(1, 9))})
    memory = judge.memory
    memory.decided, memory.decided_until, memory.numbers = frozenset({7, 8, 9}), 10, {7: 2, 9: 3}
    assert numbers(judge.fold([post(n) for n in range(6, 12)])) == [2, None, 3, 4, 5]


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────


class Life:
    """A worker's life: it takes over, judges, commits now and then, and dies at some point.

    `log` are the events that are on touchline.events by then, `kept` the counts, `committed` the offset.
    """

    def __init__(self) -> None:
        self.log: list[bytes] = []
        self.kept: dict[str, Count] = {}
        self.committed = 0

    def live(self, records: Sequence[Record], draw: Any) -> None:
        judge = make_judge(kept=self.kept)
        self.restore(judge)
        position = self.committed
        written: list[bytes] = []
        for _ in range(draw(st.integers(0, 4))):
            part = records[position : position + draw(st.integers(0, 6))]
            written += [w.value or b"" for w in judge.fold(part).writes if w.topic == NAMES.events[Kind.CHAT]]
            position += len(part)
            if draw(st.booleans()):
                # The outputs are on the log, then what is kept is, then the offset; it may die between them.
                self.log += written
                written = []
                upto = draw(st.integers(self.committed, position))
                self.kept |= judge.memory.counts.take(upto)
                if draw(st.booleans()):
                    return
                self.committed = upto
        self.log += written[: draw(st.integers(0, len(written)))]

    def restore(self, judge: Judge) -> None:
        decode = Codec("event-chat").decode
        found = {split_seq(event["seq"])[1]: event["n"] for event in map(decode, self.log)}
        memory = judge.memory
        memory.decided = frozenset(offset for offset in found if offset >= self.committed)
        memory.decided_until = max(memory.decided, default=-1) + 1
        memory.numbers = {offset: n for offset, n in found.items() if n is not None}


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_whoever_dies_wherever_each_event_is_written_with_one_number(data: st.DataObject) -> None:
    kinds: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [{"to": ONE}, {"to": OTHER}, {"text": "spoiler"}, {"type": "edit", "target": "7"}]
    )
    records = [post(n, **data.draw(kinds)) for n in range(data.draw(st.integers(0, 20)))]
    whole = make_judge().fold(records).writes
    expected = [w.value or b"" for w in whole if w.topic == NAMES.events[Kind.CHAT]]
    life = Life()
    for _ in range(data.draw(st.integers(0, 5))):
        life.live(records, data.draw)
    last = make_judge(kept=life.kept)
    life.restore(last)
    rest = last.fold(records[life.committed :]).writes
    life.log += [w.value or b"" for w in rest if w.topic == NAMES.events[Kind.CHAT]]
    assert list(dict.fromkeys(life.log)) == expected
