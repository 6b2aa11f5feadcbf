"""docs/protocol.md §5, whatever comes in whichever order: each event of each stream once, in order."""

import json

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consumers.delivery.subscription import Subscription
from consumers.protocol.messages import Subscribe
from tests.consumers.delivery.viewers import (
    SHARD,
    STREAM,
    Log,
    Socket,
    body,
    hub,
    join,
    raw,
)


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
