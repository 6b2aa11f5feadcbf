"""The fold of reactions: what counts, what is refused, and that nothing counts twice when a worker dies."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from control.channels.channel import Settings
from control.commands.asker import Asker
from control.crowd.reactions import CLOSE, POLL, REACT, RETRACT, VOTE, made, signed_headers
from control.crowd.totals import PART, VOTES, Total, Voices, folded_key, total_key
from kernel.log.positions import Kind, Stream, make_id
from kernel.log.records import VIA, Headers, Record, Write
from schemas.codec import Codec
from streams.crowd.fold import Kept
from streams.crowd.targets import Slot
from streams.crowd.voters import VoiceBook
from streams.upkeep.crowd_sweep import over
from tests.crowd.folding import SIGNER, new_fold

CHAT = Stream(Kind.CHAT, "final")
CODEC, REJECTION, ANSWER = Codec("reaction"), Codec("rejection"), Codec("answer")
NOW = 1_800_000_000_000
GOAL = make_id(Kind.CHAT, NOW - 1000, 0, 7)
ASKED = make_id(Kind.CHAT, NOW - 1000, 0, 8)


class Kafka:
    """One partition of inputs, and what a worker that may die has written of it."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.log: list[Record] = []
        self.totals: dict[bytes, Total] = {}
        self.voices: dict[bytes, dict[int, Voices]] = {}
        self.committed = 0
        self.settings = settings or Settings()
        self.refused: list[str] = []
        self.answers: list[str | None] = []
        self.ended: list[Total] = []
        self.start()

    def start(self) -> None:
        """A worker begins, where another one has committed last."""
        self.fold = new_fold(CODEC.decode, self._kept, self.settings, self.ended.append)
        self.at = self.committed

    def _kept(self, key: bytes) -> Kept:
        return Kept(self.totals.get(key), sorted(self.voices.get(key, {}).items()))

    def say(self, what: str = REACT, *, signed: bool = False, headers: Headers = (), **said: Any) -> None:  # type: ignore[assignment]
        stream = said.pop("stream", CHAT)
        value = CODEC.encode(made(stream, what, **said))
        mac = signed_headers(SIGNER, stream.channel, value) if signed else None
        self.put(value, [*headers, *(mac or ())], key=stream.channel.encode())

    def put(
        self, value: bytes, headers: Headers | None = None, *, key: bytes = b"final", at: int = 0
    ) -> None:
        self.log.append(Record(len(self.log), at or NOW + len(self.log), key, value, headers or None))

    def work(self, upto: int | None = None) -> None:
        """Fold what there is."""
        records = self.log[self.at : upto]
        outcome = self.fold.fold(records, "t-0", lambda record: ("t-0", record.offset))
        self.at += len(records)
        for write in outcome.writes:
            self._take(write)

    def _take(self, write: Write) -> None:
        if write.topic == "rejected":
            self.refused.append(REJECTION.decode(write.value or b"")["reason"])
        else:
            self.answers.append(ANSWER.decode(write.value or b"")["code"])

    def flush(self, *, totals: bool = True, voices: bool = True) -> None:
        """Write what has changed: of what is written together only a part may come to the log."""
        changed, self.fold.changed = list(self.fold.changed.values()), {}
        for slot in changed:
            if totals:
                self.totals[slot.key] = slot.total
            slot.total_changed = False
            if slot.voices_changed:
                slot.voices_changed = False
                for number, part in slot.voices.take():
                    if voices and part is None:
                        self.voices.get(slot.key, {}).pop(number, None)
                    elif voices and part is not None:
                        self.voices.setdefault(slot.key, {})[number] = part

    def commit(self) -> None:
        self.flush()
        self.committed = self.at

    def slot(self, name: str = "", stream: Stream = CHAT) -> Slot:
        return self.fold.slot(stream, name)

    def of(self, name: str = "") -> dict[str, int]:
        return dict(self.slot(name).total.of)


def test_applause_counts_and_reactions_count_once_a_user() -> None:
    kafka = Kafka()
    for n in (1, 1, 100):
        kafka.say(with_="👏", n=n)
    for user in ("ana", "bob", "ana"):
        kafka.say(with_="👍", target=GOAL, user=user)
    kafka.say(with_="🔥", target=GOAL, user="ana")
    kafka.say(with_="👍", target=GOAL, user="bob", off=True)
    kafka.say(with_="👍", target=GOAL, user="bob", off=True)
    kafka.say(with_="🎉", target=GOAL, user="bob", off=True)
    kafka.work()
    assert kafka.of() == {"👏": 102}
    assert kafka.of(GOAL) == {"👍": 1, "🔥": 1}
    assert kafka.slot(GOAL).voters == 1
    assert kafka.refused == []


def test_a_key_of_applause_counts_once_a_user_within_ten_minutes() -> None:
    kafka = Kafka()
    for user, key in (("ana", "k"), ("ana", "k"), ("bob", "k"), ("ana", "l"), (None, "k")):
        kafka.say(with_="👏", user=user, key=key)
    kafka.work()
    assert kafka.of() == {"👏": 4}
    value = CODEC.encode(made(CHAT, REACT, with_="👏", user="ana", key="k"))
    kafka.put(value, at=NOW + 599_000)
    kafka.put(value, at=NOW + 601_000)
    kafka.work()
    assert kafka.of() == {"👏": 5}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"with_": "👏", "n": 0}, "bad_request"),
        ({"with_": "👏", "n": -3}, "bad_request"),
        ({"with_": "👏", "n": 101}, "bad_request"),
        ({"with_": "👏", "n": 10**9}, "bad_request"),
        ({"with_": "👏", "n": 10**12, "signed": True}, "bad_request"),
        ({"with_": "👏" * 2000}, "bad_request"),
        ({"with_": "x" * 10_000}, "bad_request"),
        ({"with_": "👏👏"}, "bad_request"),
        ({"with_": ""}, "bad_request"),
        ({"with_": "goal"}, "bad_request"),
        ({"with_": "👏", "off": True}, "bad_request"),
        ({"with_": "👏", "target": GOAL}, "bad_request"),
        ({"with_": "👏", "target": "x", "user": "ana"}, "bad_request"),
        ({"with_": "👏", "target": "1" * 41, "user": "ana"}, "bad_request"),
        ({"with_": "👏", "target": GOAL, "user": "ana", "n": 2}, "bad_request"),
        ({"with_": "👏", "user": ""}, "bad_request"),
        ({"with_": "👏", "user": "u" * 129}, "bad_request"),
        ({"with_": "👏", "user": "touchline"}, "forbidden"),
        ({"with_": "👏", "target": make_id(Kind.BROADCAST, NOW, 0, 7), "user": "ana"}, "not_found"),
        ({"with_": "👏", "stream": Stream(Kind.CHAT, "room-r1"), "user": "ana"}, "forbidden"),
        ({"what": VOTE, "target": ASKED, "user": "ana", "option": 0}, "not_found"),
        ({"what": VOTE, "target": ASKED, "user": "ana", "option": -1}, "bad_request"),
        ({"what": VOTE, "target": ASKED, "user": "ana", "option": 10**9}, "bad_request"),
        ({"what": POLL, "target": ASKED, "extra": "{}"}, "forbidden"),
        ({"what": CLOSE, "target": ASKED}, "forbidden"),
        ({"what": CLOSE, "target": ASKED, "signed": True}, "not_found"),
        ({"what": RETRACT, "target": GOAL}, "forbidden"),
        ({"what": "steal"}, "bad_request"),
    ],
)
def test_what_cannot_be_is_refused_and_counts_nothing(said: dict[str, Any], code: str) -> None:
    kafka = Kafka()
    kafka.say(with_="👏")
    if "option" in said and said["option"] > 2**31 - 1:
        return
    kafka.say(**said)
    kafka.say(with_="👏")
    kafka.work()
    assert kafka.refused == [code if len(kafka.log[1].value or b"") <= 16 * 1024 else "too_large"]
    assert kafka.of() == {"👏": 2}
    assert kafka.of(GOAL) == {}


@pytest.mark.parametrize(
    "value", [b"", b"\0", b"\0TL\0\0x", b"[]", b"{", b'{"with":"x"}', b"\xff\xfe", b"nonsense"]
)
def test_what_is_no_record_is_refused(value: bytes) -> None:
    kafka = Kafka()
    kafka.put(value)
    kafka.put(msgspec.json.encode({"stream": "chat:final", "with": "👏", "n": 3, "more": [1]}))
    kafka.put(msgspec.json.encode({"stream": "chat:final", "with": "👏"}), key=b"another")
    kafka.work()
    assert len(kafka.refused) == 2
    assert kafka.refused[1] == "bad_channel"
    assert kafka.of() == {"👏": 3}


def test_a_lane_is_the_channel_and_a_sum_is_a_doors() -> None:
    kafka = Kafka()
    kafka.put(CODEC.encode({**made(CHAT, REACT, with_="👏"), "stream": "chat:final~3"}))
    kafka.say(with_="👏", n=250_000, signed=True)
    kafka.work()
    assert kafka.of() == {"👏": 250_001}
    assert kafka.refused == []


def test_a_channel_says_what_may_be_reacted_with() -> None:
    kafka = Kafka(Settings(reactions=("👍", ":goal:")))
    for with_ in ("👍", ":goal:", "👏", ":own:"):
        kafka.say(with_=with_)
    kafka.work()
    assert (kafka.of(), kafka.refused) == ({"👍": 1, ":goal:": 1}, ["moderated"] * 2)
    nothing = Kafka(Settings(reactions=("none",)))
    nothing.say(with_="👍")
    nothing.work()
    assert nothing.refused == ["moderated"]


def test_a_place_has_so_many_different_reactions_and_no_more() -> None:
    kafka = Kafka()
    for number in range(40):
        kafka.say(with_=f":e{number}:")
    kafka.say(with_=":e0:")
    kafka.work()
    assert (len(kafka.of()), kafka.refused) == (32, ["too_many"] * 8)
    assert kafka.of()[":e0:"] == 2


def test_a_user_has_a_fair_share_of_what_comes_by_doors() -> None:
    kafka = Kafka()
    for _ in range(150):
        kafka.say(with_="👏", user="ana", headers=[(VIA, b"edge")])
        kafka.say(with_="👏", user="bob")
    kafka.work()
    assert kafka.refused == ["rate_limited"] * (300 - kafka.of()["👏"])
    assert 150 + 100 <= kafka.of()["👏"] <= 150 + 110


# ── polls ────────────────────────────────────────────────────────────────────────────────────────────────


def begin(kafka: Kafka, closes_ms: int | None = None) -> None:
    extra = {"question": "Who wins?", "options": ["a", "b", "c"], "closes_ms": closes_ms}
    kafka.say(POLL, target=ASKED, user="eve", signed=True, extra=msgspec.json.encode(extra).decode())


def vote(kafka: Kafka, user: str, option: int, at: int = 0) -> None:
    said = made(CHAT, VOTE, target=ASKED, user=user, option=option)
    kafka.put(CODEC.encode(said), Asker(0, b"door", 1).header, at=at)


def test_a_vote_counts_once_a_user_and_may_be_changed() -> None:
    kafka = Kafka()
    begin(kafka)
    begin(kafka)
    for user, option in (("ana", 0), ("ana", 0), ("bob", 0), ("ana", 2), ("cat", 3)):
        vote(kafka, user, option)
    kafka.work()
    slot = kafka.slot(VOTES + ASKED)
    assert (slot.counts, slot.voters, slot.names) == ([1, 0, 1], 2, ["a", "b", "c"])
    assert kafka.answers == [None, None, None, None, "bad_request"]
    assert slot.poll is not None
    assert (slot.poll.by, slot.poll.question, slot.poll.opened) == ("eve", "Who wins?", NOW - 1000)


def test_votes_end_by_hand_or_by_the_logs_time() -> None:
    kafka = Kafka()
    begin(kafka, closes_ms=5000)
    vote(kafka, "ana", 0, at=NOW + 3999)
    vote(kafka, "bob", 0, at=NOW + 4000)
    kafka.work()
    assert kafka.answers == [None, "ended"]
    kafka.say(CLOSE, target=ASKED, signed=True)
    kafka.say(CLOSE, target=ASKED, signed=True)
    vote(kafka, "ana", 1, at=NOW + 20)
    kafka.work()
    assert kafka.answers[-1] == "ended"
    assert [(total.counts, total.voters) for total in kafka.ended] == [((1, 0, 0), 1)]


def test_a_poll_and_a_message_that_were_taken_back_are_over() -> None:
    kafka = Kafka()
    begin(kafka)
    vote(kafka, "ana", 0)
    kafka.say(with_="👍", target=ASKED, user="ana")
    kafka.say(RETRACT, target=ASKED, signed=True)
    vote(kafka, "bob", 0)
    kafka.say(with_="👍", target=ASKED, user="bob")
    kafka.work()
    assert kafka.answers == [None, "not_found"]
    assert kafka.refused == ["not_found", "not_found"]
    assert kafka.of(ASKED) == {}
    assert kafka.ended == []


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────


def crowd(log: random.Random, number: int) -> dict[str, Any]:
    """Something that somebody does."""
    user = f"u{log.randrange(40)}"
    doings: list[dict[str, Any]] = [
        {"what": REACT, "with_": log.choice("👏🎉"), "n": log.randint(1, 100)},
        {"what": REACT, "with_": "👏", "user": user, "key": f"k{log.randrange(20)}"},
        {"what": REACT, "with_": log.choice("👍🔥"), "target": GOAL, "user": user, "off": log.random() < 0.3},
        {"what": VOTE, "target": ASKED, "user": user, "option": log.randrange(4)},
        {"what": CLOSE, "target": ASKED, "signed": True}
        if number == 700
        else {"what": VOTE, "target": ASKED, "user": user, "option": 1},
    ]
    return doings[log.randrange(5)]


def recount(log: Sequence[Record]) -> tuple[Counter[str], dict[str, set[str]], dict[str, int]]:
    """The same by somebody who reads the log, and knows nothing of folds."""
    applause, keys = Counter[str](), set[tuple[str, str]]()
    reacted: dict[str, set[str]] = {}
    votes: dict[str, int] = {}
    closed = False
    for record in log:
        said = CODEC.decode(record.value or b"")
        if said["what"] == CLOSE:
            closed = True
        elif said["what"] == VOTE and not closed and said["option"] < 3:
            votes[said["user"]] = said["option"]
        elif said["what"] == REACT and said["target"]:
            of = reacted.setdefault(said["with"], set())
            (of.discard if said["off"] else of.add)(said["user"])
        elif said["what"] == REACT and said["key"] and (said["user"], said["key"]) not in keys:
            keys.add((said["user"], said["key"]))
            applause[said["with"]] += 1
        elif said["what"] == REACT and not said["key"]:
            applause[said["with"]] += said["n"]
    return applause, reacted, votes


@pytest.mark.parametrize("seed", range(20))
def test_all_is_as_a_recount_of_the_log_has_it_wherever_workers_die(seed: int) -> None:
    luck = random.Random(seed)
    kafka = Kafka()
    begin(kafka)
    for number in range(1, 1000):
        kafka.say(**crowd(luck, number))
        if luck.random() < 0.05:
            kafka.work()
            # What a worker writes last may come to the log in part.
            match luck.randrange(5):
                case 0:
                    kafka.commit()
                case 1:
                    kafka.flush()
                case 2:
                    kafka.flush(voices=False)
                    kafka.start()
                case 3:
                    kafka.flush(totals=False)
                    kafka.start()
                case _:
                    kafka.start()
    kafka.start()
    kafka.work()
    kafka.commit()
    kafka.start()
    applause, reacted, votes = recount(kafka.log)
    # What readers have is what a worker has that reads it all anew.
    for name in ("", GOAL, VOTES + ASKED):
        assert kafka.totals[total_key(CHAT, name)].of == kafka.of(name)
    assert kafka.of() == dict(applause)
    assert kafka.of(GOAL) == {with_: len(users) for with_, users in reacted.items() if users}
    slot = kafka.slot(VOTES + ASKED)
    assert dict(enumerate(slot.counts)) == {n: list(votes.values()).count(n) for n in range(3)}
    assert slot.voters == len(votes)


def test_voices_are_written_in_parts_and_anew_when_many_have_changed_their_minds() -> None:
    book = VoiceBook()
    written: dict[int, Voices] = {}

    def write() -> int:
        parts = book.take()
        for number, part in parts:
            if part is None:
                written.pop(number, None)
            else:
                assert len(part.entries) <= 12 * PART
                written[number] = part
        return len(parts)

    for voice in range(10_000):
        book.put(voice, 1, "t-0", voice)
    assert write() == 3
    assert write() == 1
    for turn in range(2, 12):
        for voice in range(5000):
            book.put(voice, turn % 2, "t-0", turn * 10_000 + voice)
        write()
        again = VoiceBook(sorted(written.items()))
        said = {voice: turn % 2 if voice < 5000 else 1 for voice in range(10_000)}
        assert {v: again.of.get(v, 0) for v in said} == said
        assert again.covers("t-0", turn * 10_000 + 4999)
        assert not again.covers("t-0", turn * 10_000 + 5000)
    assert sum(len(part.entries) for part in written.values()) < 12 * 4 * 10_000


def test_what_there_was_of_events_goes_when_they_are_gone_and_applause_stays() -> None:
    day_ms = 24 * 60 * 60 * 1000
    for slot, gone in ((GOAL, True), (VOTES + ASKED, True), ("", False), ("$keys", False)):
        key = total_key(CHAT, slot)
        assert over(key, NOW + 32 * day_ms) is False
        assert over(key, NOW + 34 * day_ms) is gone
    assert over(folded_key(3), NOW + 34 * day_ms) is False
