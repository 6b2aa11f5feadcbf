"""docs/protocol.md §5: whatever happens, a viewer gets each event of each stream once, in order."""

import json
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import UNSET, UnsetType

from consumers.delivery.backfill import Backfill, HistoryPage
from consumers.delivery.events import Events
from consumers.delivery.hub import Feed, Hub, Raw
from consumers.delivery.records import FanoutRecord
from consumers.delivery.subscription import Page, Subscription
from consumers.protocol.messages import AnyReply, Gap, Subscribe, Subscribed
from consumers.transport.frames import event_frame, payload_of
from kernel.errors import TouchlineError
from kernel.log.positions import OVERVIEW, OVERVIEW_SHARD, Kind, Shard, Stream

STREAM = Stream(Kind.CHAT, "final")
SHARD = Shard("final", 1, 0)
Wake = Callable[[TouchlineError | None], None]


def body(seq: int, stream: str = "chat:final") -> bytes:
    return json.dumps({"stream": stream, "seq": seq}, separators=(",", ":")).encode()


def decode(value: bytes) -> FanoutRecord:
    stream, seq = value.decode().split("@")
    return FanoutRecord(stream, int(seq), 0, body(int(seq), stream))


def raw(seq: int, channel: str = "final") -> Raw:
    return Raw(0, f"{channel}#1#0".encode(), f"chat:{channel}@{seq}".encode())


def split(data: bytes) -> list[bytes]:
    """A chunk's frames."""
    frames = []
    while data:
        length = data[1]
        size = 2 + length if length < 126 else 4 + int.from_bytes(data[2:4])
        frames.append(data[:size])
        data = data[size:]
    return frames


class Socket:
    """A viewer's socket that takes so many writes, then is full until it is drained."""

    socket = None

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.sent: list[AnyReply] = []
        self.paused = False
        self.room = 10**9
        self.subscription: Subscription | None = None
        self.refusals: list[TouchlineError] = []

    def write(self, data: bytes) -> None:
        self.events += [json.loads(payload_of(frame)) for frame in split(data)]
        self.room -= 1
        if self.room <= 0 and not self.paused:
            self.paused = True
            if self.subscription is not None:
                self.subscription.pause()

    @property
    def outlet(self) -> "Socket":
        return self

    def deliver(self, stream: str, events: Events) -> None:
        assert stream
        self.write(events.chunk)

    def send(self, message: AnyReply) -> None:
        self.sent.append(message)

    def refused(self, subscription: Subscription, error: TouchlineError) -> None:
        self.refusals.append(error)

    @property
    def seqs(self) -> list[int]:
        return [event["seq"] for event in self.events]


class Log:
    """A stream's whole past. Pages come when the test lets them."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.oldest = 0
        self.pages: list[Page] = []
        self.waiting: list[tuple[Feed, int, Wake]] = []
        self.reads = 0
        self.frame: Callable[[int], bytes] = payload

    def page(self, feed: Feed, after: int, wake: Wake) -> Page | None:
        for page in self.pages:
            if page.start <= after < page.end:
                return page
        self.waiting.append((feed, after, wake))
        return None

    def start_of_last(self, feed: Feed, count: int, wake: Wake) -> int | None:
        kept = [seq for seq in self.seqs if seq <= feed.ring.head]
        return kept[-count] - 1 if len(kept) >= count else 0

    def head(self, feed: Feed, wake: Wake) -> int | None:
        return feed.ring.head

    def answer(self) -> None:
        """Read once, for all who wait, from the lowest place on."""
        if not self.waiting:
            return
        self.reads += 1
        waiting, self.waiting = self.waiting, []
        feed, after, _ = min(waiting, key=lambda w: w[1])
        found = [seq for seq in self.seqs if max(after, self.oldest) < seq][:5]
        frames = [self.frame(seq) for seq in found]
        missing = found[0] if found and after < self.oldest else 0
        end = max(after, found[-1] if found else 0, 0 if len(found) == 5 else feed.ring.floor)
        self.pages.append(Page(feed, start=after, end=end, seqs=found, frames=frames, missing_below=missing))
        for _, _, wake in waiting:
            wake(None)


def payload(seq: int) -> bytes:
    return event_frame(0, body(seq))


def hub(ring_events: int = 8) -> Hub:
    made = Hub(decode, ring_events=ring_events, ring_bytes=1 << 20)
    made.whole = {("live", 0)}
    return made


def join(on: Hub, past: Log, *, after: int | None = None, last: int | None = None, lanes: int = 0) -> Socket:
    socket = Socket()
    audience = on.audience(STREAM, SHARD, lanes, lambda _: True)
    request = Subscribe(id=1, stream=str(STREAM), after=after, last=last)
    socket.subscription = Subscription(socket, audience, request)
    socket.subscription.advance(past)
    return socket


def test_who_asks_for_nothing_gets_what_comes_from_now_on() -> None:
    edge, past = hub(), Log()
    edge.take("live", [raw(1), raw(2)])
    viewer = join(edge, past)
    edge.take("live", [raw(3), raw(5)])
    assert viewer.seqs == [3, 5]
    assert viewer.sent == [
        Subscribed(id=1, stream="chat:final", seq=2, recovered=True, shard=0, version=1, behind=0)
    ]
    assert [event["prev"] for event in viewer.events] == [2, 3]


def test_a_repetition_on_the_log_reaches_nobody() -> None:
    edge, past = hub(), Log()
    viewer = join(edge, past)
    edge.take("live", [raw(1), raw(2), raw(1), raw(2)])
    edge.take("live", [raw(2), raw(3), raw(2)])
    assert viewer.seqs == [1, 2, 3]


@pytest.mark.parametrize(("last", "expected"), [(0, []), (1, [9]), (3, [7, 8, 9]), (8, list(range(2, 10)))])
def test_last_gives_so_many_events_of_the_past(last: int, expected: list[int]) -> None:
    edge, past = hub(), Log()
    past.seqs = list(range(1, 10))
    edge.take("live", [raw(seq) for seq in past.seqs])
    assert join(edge, past, last=last).seqs == expected


def test_what_the_ring_does_not_hold_comes_from_history() -> None:
    edge, past = hub(ring_events=4), Log()
    past.seqs = list(range(1, 31))
    edge.take("live", [raw(seq) for seq in past.seqs])
    viewer = join(edge, past, after=0)
    while past.waiting:
        assert viewer.subscription is not None
        past.answer()
    edge.take("live", [raw(31)])
    assert viewer.seqs == list(range(1, 32))


def test_a_thousand_who_come_back_at_once_cost_one_read_a_page() -> None:
    edge, past = hub(ring_events=4), Log()
    past.seqs = list(range(1, 9))
    edge.take("live", [raw(seq) for seq in past.seqs])
    viewers = [join(edge, past, after=1 + number % 3) for number in range(1000)]
    while past.waiting:
        past.answer()
    assert past.reads == 1
    assert all(viewer.seqs == list(range(2 + number % 3, 9)) for number, viewer in enumerate(viewers))


def test_what_is_gone_for_good_is_said() -> None:
    edge, past = hub(ring_events=2), Log()
    past.seqs, past.oldest = list(range(1, 11)), 4
    edge.take("live", [raw(seq) for seq in past.seqs])
    viewer = join(edge, past, after=2)
    while past.waiting:
        past.answer()
    subscribed, gap = viewer.sent
    assert isinstance(subscribed, Subscribed)
    assert not subscribed.recovered
    assert isinstance(gap, Gap)
    assert (gap.after, gap.seq) == (2, 5)
    assert viewer.seqs == [5, 6, 7, 8, 9, 10]


def test_who_has_seen_more_than_this_edge_gets_nothing_twice() -> None:
    edge, past = hub(), Log()
    edge.take("live", [raw(1), raw(2)])
    viewer = join(edge, past, after=4)
    edge.take("live", [raw(3), raw(4)])
    edge.take("live", [raw(5)])
    assert viewer.seqs == [5]


def test_lanes_come_with_their_channel_each_in_its_own_order() -> None:
    edge, past = hub(), Log()
    viewer = join(edge, past, lanes=2)
    edge.take("live", [raw(1, "final~1"), raw(1), raw(1, "final~0"), raw(2, "final~1")])
    lanes = [(event["stream"], event["seq"]) for event in viewer.events]
    assert sorted(lanes) == [("chat:final", 1), ("chat:final~0", 1), ("chat:final~1", 1), ("chat:final~1", 2)]
    assert lanes.index(("chat:final~1", 1)) < lanes.index(("chat:final~1", 2))


def test_the_places_in_the_lanes_are_told_so_that_who_comes_back_can_say_them() -> None:
    edge, past = hub(), Log()
    edge.take("live", [raw(1), raw(4, "final~1")])
    [told] = join(edge, past, lanes=2).sent
    assert isinstance(told, Subscribed)
    assert told.cursors == {"chat:final~0": 0, "chat:final~1": 4}


def test_from_the_start_is_from_the_start_of_every_lane() -> None:
    edge, past = hub(), Log()
    edge.take("live", [raw(1), raw(1, "final~0"), raw(2, "final~1")])
    viewer = join(edge, past, after=0, lanes=2)
    assert [event["stream"] for event in viewer.events] == ["chat:final", "chat:final~0", "chat:final~1"]
    assert join(edge, past, after=1, lanes=2).events == []


def test_lanes_that_come_later_reach_who_is_there_already_from_their_first_event() -> None:
    edge, past = hub(), Log()
    viewer = join(edge, past)
    edge.take("live", [raw(1), raw(1, "final~0"), raw(2, "final~0")])
    assert viewer.subscription is not None
    viewer.subscription.pause()
    edge.audience(STREAM, SHARD, 1, lambda _: True)
    viewer.subscription.advance(past)
    edge.take("live", [raw(3, "final~0"), raw(2)])
    shown = [(event["stream"], event["seq"]) for event in viewer.events]
    assert sorted(shown) == [("chat:final", 1), ("chat:final", 2), *(("chat:final~0", n) for n in (1, 2, 3))]


def test_rings_of_quiet_channels_go_first_when_memory_is_full() -> None:
    edge = Hub(decode, ring_events=1000, ring_bytes=20_000)
    for seq in range(1, 40):
        edge.take("live", [raw(seq, "quiet")])
    for seq in range(1, 400):
        edge.take("live", [raw(seq, "busy")])
        assert edge.bytes <= 21_000
    assert len(edge.feed("chat:quiet", b"quiet#1#0", whole=False).ring) == 0
    assert len(edge.feed("chat:busy", b"busy#1#0", whole=False).ring) > 10


def test_a_channel_that_nobody_watches_is_not_decoded_and_yet_its_past_is_there() -> None:
    decoded: list[bytes] = []

    def counting(value: bytes) -> FanoutRecord:
        decoded.append(value)
        return decode(value)

    edge, past = Hub(counting, ring_events=8, ring_bytes=1 << 20), Log()
    edge.whole = {("live", 0)}
    past.seqs = list(range(1, 7))
    edge.take("live", [raw(seq) for seq in past.seqs])
    assert decoded == []
    assert join(edge, past, after=2).seqs == [3, 4, 5, 6]
    assert len(decoded) == 6


def test_what_was_dropped_undecoded_comes_from_history_for_each_stream_of_the_channel() -> None:
    edge, past = hub(ring_events=4), Log()
    goal = Raw(0, b"final#1#0", b"broadcast:final@1")
    edge.take("live", [goal, *(raw(seq) for seq in range(2, 12))])
    feed = edge.audience(Stream(Kind.BROADCAST, "final"), SHARD, 0, lambda _: True).feeds[0]
    assert not feed.ring.covers(0)
    past.seqs = list(range(2, 12))
    viewer = join(edge, past, after=0)
    while past.waiting:
        past.answer()
    assert viewer.seqs == past.seqs


def test_a_ring_that_was_given_up_does_not_pretend_to_be_complete() -> None:
    edge, past = Hub(decode, ring_events=1000, ring_bytes=20_000), Log()
    edge.whole = {("live", 0)}
    past.seqs = [1, 2, 3]
    edge.take("live", [raw(seq) for seq in past.seqs])
    for seq in range(1, 400):
        edge.take("live", [raw(seq, "busy")])
    past.seqs.append(4)
    edge.take("live", [raw(4)])
    viewer = join(edge, past, after=0)
    while past.waiting:
        past.answer()
    assert viewer.seqs == [1, 2, 3, 4]


class Everything(RuleBasedStateMachine):
    """Events, repetitions, slow sockets, history that takes its time, reconnections: in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.edge, self.backfill = hub(ring_events=4), Log()
        self.next = 1
        self.viewers: list[tuple[int, Socket, list[int]]] = []

    @rule(count=st.integers(1, 6), step=st.integers(1, 3), again=st.integers(0, 3))
    def events_come(self, count: int, step: int, again: int) -> None:
        new = [self.next + step * i for i in range(count)]
        repeated = self.backfill.seqs[-again:] if again else []
        self.backfill.seqs += new
        self.next = new[-1] + 1
        self.edge.take("live", [raw(seq) for seq in [*repeated, *new]])

    @precondition(lambda self: len(self.viewers) < 4)
    @rule(back=st.none() | st.integers(0, 12), room=st.integers(1, 4))
    def somebody_comes(self, back: int | None, room: int) -> None:
        head = self.backfill.seqs[-1] if self.backfill.seqs else 0
        after = None if back is None else ([0, *self.backfill.seqs][max(0, len(self.backfill.seqs) - back)])
        socket = Socket()
        audience = self.edge.audience(STREAM, SHARD, 0, lambda _: True)
        request = Subscribe(id=1, stream=str(STREAM), after=after)
        socket.subscription, socket.room = Subscription(socket, audience, request), room
        self.viewers.append((head if after is None else after, socket, []))
        socket.subscription.advance(self.backfill)

    @precondition(lambda self: self.viewers)
    @rule(data=st.data(), room=st.integers(1, 4))
    def a_socket_drains(self, data: st.DataObject, room: int) -> None:
        _, socket, _ = data.draw(st.sampled_from(self.viewers))
        socket.paused, socket.room = False, room
        assert socket.subscription is not None
        socket.subscription.advance(self.backfill)

    @precondition(lambda self: self.viewers)
    @rule(data=st.data())
    def somebody_reconnects(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.viewers) - 1))
        start, socket, seen = self.viewers[number]
        assert socket.subscription is not None
        socket.subscription.close()
        self.edge.leave(socket.subscription.audience)
        seen = [*seen, *socket.seqs]
        cursor = seen[-1] if seen else start
        fresh = join(self.edge, self.backfill, after=cursor)
        self.viewers[number] = (start, fresh, seen)

    @rule()
    def history_answers(self) -> None:
        self.backfill.answer()

    @invariant()
    def nobody_misses_or_doubles_an_event(self) -> None:
        for start, socket, seen in self.viewers:
            got = [*seen, *socket.seqs]
            expected = [seq for seq in self.backfill.seqs if seq > start]
            assert got == expected[: len(got)]

    def teardown(self) -> None:
        for _, socket, _ in self.viewers:
            assert socket.subscription is not None
            socket.paused, socket.room = False, 10**9
            socket.subscription.advance(self.backfill)
        while self.backfill.waiting:
            self.backfill.answer()
        for start, socket, seen in self.viewers:
            assert [*seen, *socket.seqs] == [seq for seq in self.backfill.seqs if seq > start]


TestEverything = Everything.TestCase
TestEverything.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(1, 9), st.integers(0, 60))
def test_a_ring_gives_what_was_put_in_above_any_place_it_covers(
    seqs: list[int], capacity: int, after: int
) -> None:
    from consumers.delivery.ring import Ring

    ring = Ring(capacity)
    kept = [seq for seq in seqs if ring.append(seq, body(seq)) is not None]
    assert len(ring) == min(len(kept), capacity)
    if ring.covers(after):
        events, reached = ring.events_after(after, 10**9)
        assert [json.loads(payload)["seq"] for _, payload in events.payloads()] == list(events.seqs)
        assert list(events.seqs) == [s for s in kept if s > after]
        assert reached == max(after, ring.head)
    ring.drop(len(ring))
    assert ring.bytes == 0
    assert ring.floor == (kept[-1] if kept else -1)


@pytest.mark.parametrize(
    ("asked", "behind"),
    [
        ({}, 0),
        ({"after": 30}, 0),
        ({"after": 40}, 0),
        ({"after": 27}, 3),
        ({"last": 2}, 2),
        ({"after": 24}, 6),  # a page of history reaches into the ring
        ({"after": 3}, UNSET),  # and this one does not
    ],
)
def test_who_comes_is_told_how_many_events_follow_where_that_is_known(
    asked: dict[str, int], behind: int | UnsetType
) -> None:
    """§5.2"""
    edge, past = hub(ring_events=4), Log()
    past.seqs = list(range(1, 31))
    edge.take("live", [raw(seq) for seq in past.seqs])
    viewer = join(edge, past, **asked)
    while past.waiting:
        past.answer()
    (told,) = (message for message in viewer.sent if isinstance(message, Subscribed))
    assert told.behind == behind
    assert behind is UNSET or len(viewer.seqs) == behind


def test_what_follows_is_counted_over_all_lanes() -> None:
    edge, past = hub(), Log()
    edge.take("live", [raw(1), raw(2), raw(3, "final~0"), raw(4, "final~1"), raw(5, "final~1")])
    edge.whole = {("live", 0)}
    viewer = join(edge, past, after=0, lanes=2)
    assert [message.behind for message in viewer.sent if isinstance(message, Subscribed)] == [5]
    assert len(viewer.seqs) == 5


class NoHistory:
    """Whoever asks it has made a mistake."""

    async def read(self, stream: Stream, **_: Any) -> HistoryPage:
        raise AssertionError(stream)

    async def replies(self, stream: Stream, events: Any, spans: Any = None) -> dict[str, int]:
        return {}

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        raise AssertionError(event_id, stream)


def test_the_operators_figures_are_told_from_the_ring_alone_and_what_it_lost_is_a_gap() -> None:
    """§10: nobody reads history for them."""
    edge, past = hub(), Backfill(NoHistory())
    key = OVERVIEW_SHARD.key.encode()

    def figures(*seqs: int) -> None:
        edge.take("ops", [Raw(0, key, f"{OVERVIEW}@{seq}".encode()) for seq in seqs])

    def watch(**asked: Any) -> Socket:
        socket = Socket()
        socket.subscription = Subscription(socket, edge.overview(), Subscribe(id=1, stream=OVERVIEW, **asked))
        socket.subscription.advance(past)
        return socket

    early = watch()
    figures(11, 12, 13)
    assert early.seqs == [11, 12, 13]
    assert watch(last=2).seqs == [12, 13]
    assert watch(last=500).seqs == [11, 12, 13]
    late = watch(after=5)
    assert late.seqs == [11, 12, 13]
    assert [message.recovered for message in late.sent if isinstance(message, Subscribed)] == [False]
    assert [(m.after, m.seq) for m in late.sent if isinstance(m, Gap)] == [(5, 11)]
    assert edge.audiences() == [], "they are no channel's audience"
