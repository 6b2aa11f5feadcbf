"""A hostile user against the state of a worker: settings, commands, grants, records, requests in any order.

Not bytes, but what comes after they were read: whatever is set, posted and said, in whatever order, each
thing is taken or refused with a sentence, what is written fits, and nothing grows without a bound.
"""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from consumers.protocol.session import Guest, Member
from control.channels.channel import (
    MAX_LIVE,
    MAX_LIVE_SHARDS,
    ChannelRecord,
    ChannelVersion,
    Settings,
    encoded,
    from_avro,
    to_avro,
)
from control.channels.commands import carry_out
from control.channels.epochs import Epoch, Epochs
from control.commands.asker import HEADER as ANSWER
from kernel.access.tokens import Grants
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, partition_of
from kernel.log.records import ORIGIN, VIA, Record, Write
from kernel.log.topics import MAX_RECORD_BYTES, TopicNames
from kernel.process.metrics import FAILED
from schemas.codec import Codec
from streams.fold.channels import Channels
from streams.fold.checks.repeats import Repeats
from streams.fold.judge import Judge
from streams.fold.memory import Memory
from tests.security.parsers import service

NAMES = TopicNames("t")
PARTITIONS = 8
CHANNELS = ("c", "d", "c~0")

numbers = (
    st.integers()
    | st.floats(width=64)
    | st.sampled_from([0, 1, -1, 2**31, 2**63, 1e308, 5e-324, 3_000_000_000])
)
texts = (
    st.just("x").map(lambda letter: letter * 70_000)
    | st.text(max_size=20)
    | st.sampled_from(["", "\0", "\ud800", "word", "*", "$epochs"])
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
names = st.sampled_from([*Settings.__struct_fields__, "shards", "lanes", "members", "no_such_setting"])
commands = st.sampled_from(
    ["set_channel", "add_members", "remove_members", "reshard", "set_lanes", "revoke", ""]
)
arguments = (
    st.dictionaries(names, values, max_size=4).map(json.dumps)
    | st.integers(1, 300).map(lambda shards: f'{{"shards":{shards}}}')
    | st.sampled_from(
        ['{"members":' + "[" * 1500, "null", "", '{"lanes":1e999}', '{"blocked":["a","ab","b"]}']
    )
)
posts = (
    st.fixed_dictionaries(
        {"data": st.dictionaries(st.sampled_from(["text", "target", "lat", "lon", "extra"]) | texts, values)},
        optional={"type": texts, "key": texts, "sender": texts | st.just("ana"), "client_ts": values},
    )
    .map(json.dumps)
    .map(str.encode)
)
bodies = posts | st.binary(max_size=60) | st.just(b'{"sender":"ana","data":{"text":"a word, ab"}}')
headers = st.lists(
    st.tuples(
        st.sampled_from([ORIGIN, VIA, ANSWER, "trace"]),
        st.none()
        | st.binary(max_size=30)
        | st.sampled_from([b"3:7", b"7:me:1", b"99999:me:999999999999999"]),
    ),
    max_size=3,
)
ops = st.sampled_from(
    ["subscribe", "unsubscribe", "publish", "history", "presence", "ack", "ping", "auth", "x"]
)
requests = st.fixed_dictionaries(
    {"op": ops | texts},
    optional={
        "id": values, "stream": st.sampled_from(["chat:c", "chat:", "ops:overview"]) | texts, "after": values,
        "last": values, "cursors": values, "data": values, "seq": values, "token": texts, "limit": values,
    },
)  # fmt: skip
patterns = st.sampled_from(["*", "chat:*", "chat:c", "c", "", "*" * 140, "*:*c*", "chat:c~*"]) | texts
grants = st.dictionaries(
    st.sampled_from(["subscribe", "publish", "admin", "x"]), st.lists(patterns, max_size=3)
)


def failures() -> float:
    return sum(sample.value for metric in FAILED.collect() for sample in metric.samples)


class Worker(RuleBasedStateMachine):
    """The registry, the folds of one partition of each kind, and a viewer."""

    def __init__(self) -> None:
        super().__init__()
        self.at_ms, self.offset = 1_767_225_600_000, 0
        self.records: dict[str, ChannelRecord] = {}
        self.channels = {
            kind: Channels(kind, self.record_of, ingest=PARTITIONS, fanout=PARTITIONS) for kind in Kind
        }
        self.judges = {kind: self.judge(kind) for kind in Kind}
        self.session: Guest | Member = Guest(service().admission.rules, 0.0)
        self.failed = failures()

    def record_of(self, name: str) -> ChannelRecord:
        return self.records.get(name) or ChannelRecord(channel=name)

    def judge(self, kind: Kind) -> Judge:
        partition = partition_of("c", PARTITIONS)
        return Judge(
            kind, partition, names=NAMES, channels=self.channels[kind], memory=Memory(Repeats(600_000)),
            answers=PARTITIONS,
            epochs=Epochs([Epoch(3, "id", PARTITIONS, {})], partition),
        )  # fmt: skip

    def keep(self, record: ChannelRecord) -> None:
        self.records[record.channel] = record
        for channels in self.channels.values():
            channels.forget(record.channel)

    def fits(self, writes: list[Write]) -> None:
        for write in writes:
            size = len(write.value or b"") + len(write.key or b"")
            assert size + sum(len(n) + len(v or b"") for n, v in write.headers or ()) < MAX_RECORD_BYTES

    @rule(name=st.sampled_from(CHANNELS), command=commands, given=arguments, later=st.integers(0, 10_000))
    def command(self, name: str, command: str, given: str, later: int) -> None:
        self.offset, self.at_ms = self.offset + 1, self.at_ms + later
        said: Mapping[str, Any] = {"command": command, "arguments": given}
        with contextlib.suppress(TouchlineError):
            after = carry_out(self.record_of(name), said, self.at_ms)
            encoded(after, Codec("channel"))
            self.keep(after)

    @rule(
        name=st.sampled_from(CHANNELS),
        versions=st.lists(
            st.builds(
                ChannelVersion, st.integers(-2, 600), st.integers(-2, 2**31 - 1), st.integers(0, 1 << 45)
            ),
            max_size=60,
        ),
        rate=st.floats(),
        words=st.lists(st.text(max_size=5), max_size=20),
    )
    def registry(self, name: str, versions: list[ChannelVersion], rate: float, words: list[str]) -> None:
        """A record as whoever may write to the registry's topic makes it."""
        said = Settings(rate_per_s=rate, slow_s=rate, rate_binds_producers=True, blocked=tuple(words))
        self.keep(from_avro(to_avro(ChannelRecord(channel=name, versions=tuple(versions), settings=said))))

    @rule(
        kind=st.sampled_from(Kind),
        key=st.sampled_from([b"c", b"d", b"c~0", b"", b"\xff", b"no channel", b"$epochs", None]),
        body=bodies,
        given=st.none() | headers,
        later=st.integers(-5, 3000),
    )
    def post(self, kind: Kind, key: bytes | None, body: bytes, given: Any, later: int) -> None:
        self.offset, self.at_ms = self.offset + 1, max(0, self.at_ms + later)
        record = Record(self.offset, self.at_ms, key, body, given)
        outcome = self.judges[kind].fold([record])
        self.fits(outcome.writes)
        done = outcome.accepted.total() + outcome.repeated + outcome.replaced + outcome.rejected.total()
        assert done == 1, "each record is one of the four"
        again = self.judges[kind].fold([record])
        assert again.writes == outcome.writes or outcome.accepted, "what is read again comes out the same"

    @rule(said=requests, now=st.floats(0, 100))
    def say(self, said: Mapping[str, Any], now: float) -> None:
        for _ in self.session.receive(json.dumps(said), now):
            pass

    @rule(can=grants, user=texts, pattern=patterns)
    def come(self, can: Mapping[str, list[str]], user: str, pattern: str) -> None:
        given = Grants(user=user or "ana", can={action: tuple(found) for action, found in can.items()})
        for action in ("subscribe", "publish", "admin"):
            given.allows(action, pattern)
        self.session = Guest(service().admission.rules, 0.0).admit(given, 0.0)

    @invariant()
    def everything_has_a_bound(self) -> None:
        for record in self.records.values():
            assert len(record.live) <= MAX_LIVE
            assert sum(version.shards for version in record.live) <= MAX_LIVE_SHARDS
            msgspec.json.encode(record.newest)

    @invariant()
    def nothing_was_refused_by_an_error_that_nobody_thought_of(self) -> None:
        assert failures() == self.failed


Worker.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestWorker = Worker.TestCase
