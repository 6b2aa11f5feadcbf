"""docs/protocol.md §5: whatever happens, a viewer gets each event of each stream once, in order."""

from typing import Any

import pytest
from msgspec import UNSET, UnsetType

from consumers.delivery.backfill import Backfill
from consumers.delivery.hub import Hub, Raw
from consumers.delivery.records import FanoutRecord
from consumers.delivery.subscription import Subscription
from consumers.protocol.messages import Gap, Subscribe, Subscribed
from history.visible import ReadPage
from kernel.log.positions import OVERVIEW, OVERVIEW_SHARD, Kind, Stream
from tests.consumers.delivery.viewers import SHARD, STREAM, Log, Socket, decode, hub, join, raw


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

    async def read(self, stream: Stream, **_: Any) -> ReadPage:
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
