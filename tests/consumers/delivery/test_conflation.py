"""Location streams: where everybody is now, however slow one reads or late one comes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.backfill import Backfill
from consumers.delivery.conflation import latest_places, sender_in
from consumers.delivery.hub import LOCATION_RING, Hub, Raw
from consumers.delivery.records import FanoutRecord
from consumers.delivery.subscription import Subscription
from consumers.protocol.messages import Subscribe
from consumers.transport.frames import event_frame
from kernel.log.positions import Kind, Shard, Stream
from schemas.rendering import render
from tests.consumers.delivery.viewers import Log, Socket

STREAM, SHARD = Stream(Kind.LOCATION, "match"), Shard("match", 1, 0)


def place(seq: int, sender: str | None) -> bytes:
    data = {"lat": 1.0, "lon": 2.0, "accuracy": None, "heading": None, "speed": None, "extra": None}
    event = {"channel": "match", "seq": seq, "id": str(seq), "key": None, "type": "moved", "sender": sender}
    return render(Kind.LOCATION, {**event, "client_ts": None, "server_ts": 0, "data": data})


def decode(value: bytes) -> FanoutRecord:
    sender, seq = value.decode().split("@")
    return FanoutRecord(str(STREAM), int(seq), 0, place(int(seq), sender), "moved", sender)


def moved(seq: int, sender: str = "ana") -> Raw:
    return Raw(0, SHARD.key.encode(), f"{sender}@{seq}".encode())


def watching(edge: Hub, past: Log | Backfill, **asked: Any) -> Socket:
    socket = Socket()
    audience = edge.audience(STREAM, SHARD, 0, lambda _: isinstance(past, Log))
    socket.subscription = Subscription(socket, audience, Subscribe(id=1, stream=str(STREAM), **asked))
    socket.subscription.advance(past)
    return socket


@given(st.lists(st.one_of(st.none(), st.text(max_size=20))))
def test_the_latest_of_each_sender_is_kept_in_order(senders: list[str | None]) -> None:
    frames = [event_frame(0, place(seq, sender)) for seq, sender in enumerate(senders, start=1)]
    expected = sorted({sender or "": seq for seq, sender in enumerate(senders, start=1)}.values())
    kept = [frames[at] for at in latest_places([sender_in(frame) for frame in frames])]
    assert [json.loads(f[f.index(b"{") :])["seq"] for f in kept] == expected
    assert [at + 1 for at in latest_places([sender or None for sender in senders])] == expected


def test_what_a_producer_writes_cannot_pass_for_a_sender() -> None:
    body = b'{"stream":"location:m","seq":1,"key":"\\"sender\\":\\"ben\\"","data":{"lat":1,"sender":"ben"}}'
    assert sender_in(event_frame(0, body)) == b""


def test_in_one_turn_the_latest_of_each_sender_goes_out() -> None:
    edge, past = Hub(decode, ring_events=8, ring_bytes=1 << 20), Log()
    viewer = watching(edge, past)
    edge.take("location", [moved(1), moved(2, "ben"), moved(3), moved(4)])
    assert viewer.seqs == [2, 4]


def test_who_is_slow_gets_the_latest_of_each_sender() -> None:
    edge, past = Hub(decode, ring_events=8, ring_bytes=1 << 20), Log()
    viewer = watching(edge, past)
    edge.take("location", [moved(1)])
    viewer.room = 1
    edge.take("location", [moved(2, "ben")])
    last = 2 + LOCATION_RING * 2
    for seq in range(3, last + 1):
        edge.take("location", [moved(seq, "eve" if seq == last - 1 else "ana")])
    viewer.paused, viewer.room = False, 10
    assert viewer.subscription is not None
    viewer.subscription.advance(past)
    assert viewer.seqs == [1, 2, last - 1, last]


def test_who_comes_late_and_asks_for_the_last_sees_where_everybody_is() -> None:
    edge, past = Hub(decode, ring_events=8, ring_bytes=1 << 20), Log()
    past.seqs = [1, 2, 3, 4]
    past.frame = lambda seq: event_frame(0, place(seq, "ben" if seq == 2 else "ana"))
    edge.feed(str(STREAM), SHARD.key.encode(), whole=False).ring.learn_head(4)
    viewer = watching(edge, past, last=4)
    past.answer()
    assert viewer.seqs == [2, 4]
    edge.take("location", [moved(5)])
    assert viewer.seqs == [2, 4, 5]
