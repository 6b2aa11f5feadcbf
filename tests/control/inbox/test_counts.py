"""Counts of what is unread equal a recount of the log, whatever happened and wherever a worker died."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.counts import Count
from control.entity.fold import Written
from control.entity.known import Known
from control.entity.types import Stamp
from control.inbox.about import about_header
from control.inbox.mentions import names_in
from control.inbox.tables import put_together, tally_type
from control.inbox.tally import LAST, Tally
from control.inbox.unread import ReadUpTo, Unread, counts
from kernel.access.signing import Signer
from kernel.log.positions import make_seq
from kernel.log.records import Record, Write
from kernel.settings.reading import Settings
from streams.fold.judge import Judge
from streams.fold.outputs.tallies import TalliesFold
from tests.streams.test_rooms_fold import SIGNER, Table, changes, events, make_judge, record, says

TYPE = tally_type(Settings())
USERS = ("ana", "bob", "cat")


class Tallies:
    """Tallies' records, as they have been written."""

    def __init__(self) -> None:
        self.written: dict[bytes, bytes] = {}

    def known(self, key: bytes) -> Known[Tally]:
        value = self.written.get(key)
        tally = None if value is None else TYPE.decode(value)
        return Known(tally, Stamp(0 if tally is None else tally.seq))

    def write(self, written: Written[Tally]) -> list[Write]:
        self.written[written.key] = written.value or b""
        return [Write("t.tallies", written.value, written.key, 0)]


class World:
    """A room's stream as it is folded, and what users have read of it."""

    def __init__(self) -> None:
        self.rooms, self.tallies, self.log = Table(), Tallies(), list[dict[str, Any]]()
        self.offset, self.records = 0, list[Record]()
        self.read: dict[str, int] = {}
        self.judge = self._new_judge()

    def post(self, event: dict[str, Any], about: dict[str, Any] | None = None) -> None:
        self.offset += 1
        made = record(self.offset, event)
        if about is not None:
            more = about_header(SIGNER, "room-study", about["id"], about["n"])
            made = made._replace(headers=[*(made.headers or ()), *more])
        self.records.append(made)
        self.log += events(self.judge.fold([made]))

    def again(self, back: int) -> None:
        """A worker takes over that finds its inputs of a while ago uncommitted, and tallies as they are."""
        judge = self.judge = self._new_judge()
        again = self.records[-back:]
        seqs = {event["seq"]: event.get("n") for event in self.log}
        judge.memory.decided = frozenset(r.offset for r in again if make_seq(1, r.offset) in seqs)
        judge.memory.decided_until = self.offset + 1
        judge.memory.numbers = {
            r.offset: n for r in again if (n := seqs.get(make_seq(1, r.offset))) is not None
        }
        judge.fold(again)

    def _new_judge(self) -> Judge:
        tallies = TalliesFold(
            self.tallies,
            self.tallies.write,
            TYPE.encode,
            lambda channel: self.rooms.known(channel.encode()).state,
            SIGNER,
        )
        judge = make_judge(self.rooms, tallies=tallies)
        last = max((event["n"] or 0 for event in self.log), default=0)
        if last:
            judge.memory.counts.put("room-study", Count("chat:room-study", last, self.log[-1]["seq"]), 0)
        return judge

    def counted(self, user: str) -> Unread | None:
        room = self.rooms.known(b"room-study").state
        tally = self.tallies.known(b"room-study").state
        if room is None or tally is None or room.member(user) is None:
            return None
        seq = self.read.get(user, 0)
        n = tally.n_at(seq)
        if n is None:  # as an edge does: by the log
            n = max((event["n"] or 0 for event in self.log if event["seq"] <= seq), default=0)
        return counts(tally, room.readable(user), user, ReadUpTo(seq, n))

    def recounted(self, user: str) -> Unread | None:
        """By the events alone."""
        room = self.rooms.known(b"room-study").state
        if room is None or room.member(user) is None:
            return None
        spans = room.readable(user)
        mine = [event for event in self.log if event["sender"] == user and event["n"]]
        own = [event["seq"] for event in mine if event["seq"] > room.born]
        read = max(self.read.get(user, 0), max(own, default=0))
        texts, gone = {event["id"]: event["data"]["text"] for event in self.log}, set[str]()
        for event in self.log:
            target = event["data"]["target"]
            if event["type"] == "retract":
                gone.add(target)
            elif event["type"] == "edit" and target not in gone:
                texts[target] = event["data"]["text"]
        unread = [
            event
            for event in self.log
            if event["n"] and event["seq"] > read and event["seq"] in spans and event["id"] not in gone
        ]
        mentions = [event for event in unread if user in names_in(texts[event["id"]])]
        return Unread(len(unread), len(mentions), read)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [event for event in self.log if event["n"]]


TEXTS = ("hello", "hi @bob", "@cat and @ana.", "@bobby @cat-", "x@bob")
STEP = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(USERS), st.sampled_from(TEXTS)),
    st.tuples(st.just("edit"), st.integers(0, 60), st.sampled_from(TEXTS)),
    st.tuples(st.just("retract"), st.integers(0, 60)),
    st.tuples(st.just("read"), st.sampled_from(USERS), st.integers(0, 60)),
    st.tuples(st.sampled_from(("added", "removed")), st.sampled_from(("bob", "cat"))),
    st.tuples(st.just("history"), st.sampled_from(("all", "joined"))),
    st.tuples(st.just("deleted")),
    st.tuples(st.just("again"), st.integers(1, 8)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(STEP, max_size=60))
def test_counts_equal_a_recount_whatever_happened(steps: list[Any]) -> None:
    world = World()
    world.post(changes("ana", "created", name="Study", users=["bob"]))
    for step in steps:
        match step:
            case ("say", user, text):
                world.post(says(user, text))
            case ("edit", number, text) if world.messages:
                target = world.messages[number % len(world.messages)]
                data = {"target": target["id"], "text": text}
                world.post({"type": "edit", "sender": "ana", "data": data}, target)
            case ("retract", number) if world.messages:
                target = world.messages[number % len(world.messages)]
                world.post({"type": "retract", "sender": "ana", "data": {"target": target["id"]}}, target)
            case ("read", user, number):
                seq = world.log[number % len(world.log)]["seq"]
                world.read[user] = max(seq, world.read.get(user, 0))
            case ("history", history):
                world.post(changes("ana", "changed", history=history))
            case ("deleted",):
                world.post(changes("ana", "deleted"))
                world.read.clear()
                world.post(changes("ana", "created", name="Study", users=["bob"]))
            case ("again", back):
                world.again(back)
            case (what, user) if what in ("added", "removed"):
                world.post(changes("ana", what, users=[user]))
        for user in USERS:
            assert world.counted(user) == world.recounted(user)


def test_a_device_that_is_new_gets_the_latest_messages_whatever_lies_between() -> None:
    world = World()
    world.post(changes("ana", "created", name="Study", users=["bob"]))
    for n in range(30):
        world.post(says("ana", f"m{n}"))
        if n % 4 == 0:
            target = world.messages[-1]
            data = {"target": target["id"], "text": "x"}
            world.post({"type": "edit", "sender": "ana", "data": data}, target)
    tally = world.tallies.known(b"room-study").state
    assert tally is not None
    start = tally.start_of_last()
    assert [event["data"]["text"] for event in world.messages if event["seq"] > start] == [
        f"m{n}" for n in range(30 - LAST, 30)
    ]


def test_what_no_door_has_told_of_a_retraction_counts_for_nothing() -> None:
    world = World()
    world.post(changes("ana", "created", name="Study", users=["bob"]))
    world.post(says("ana", "hi"))
    target = world.messages[0]
    retract = {"type": "retract", "sender": "ana", "data": {"target": target["id"]}}
    world.offset += 1
    forged = record(world.offset, retract)
    other = Signer(msgspec.structs.replace(Settings().auth, internal_secret="x" * 32))
    forged = forged._replace(
        headers=[*(forged.headers or ()), *about_header(other, "room-study", target["id"], 1)]
    )
    world.judge.fold([forged])
    found = world.counted("bob")
    assert found is not None
    assert found.unread == 1


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("hi @ana", ("ana",)),
        ("@ana, @bob: @ana", ("ana", "bob")),
        ("ask @ana.", ("ana.", "ana")),
        ("@ana.b", ("ana.b",)),
        ("@anabel", ("anabel",)),
        ("nobody @ all", ()),
        ("@jürgen", ("jürgen",)),
    ],
)
def test_names_that_a_text_mentions(text: str, names: tuple[str, ...]) -> None:
    assert names_in(text) == names


def test_of_nobody_nothing_is_known() -> None:
    nothing = put_together(())
    assert (nothing.devices, nothing.delivered("chat:a")) == ((), 0)
