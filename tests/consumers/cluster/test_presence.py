"""docs/protocol.md §8: how many watch a stream, over all edges, said when it changes and not too often."""

import asyncio
import itertools
from collections.abc import Mapping

import pytest

from bench.rig.edge_alone import bare_service
from bench.rig.known import KnownByHand
from consumers.cluster.heartbeat import Heartbeat
from consumers.delivery.hub import Hub
from consumers.edge import Edge
from control.edges.presence import Presence, Slot, heartbeat
from control.following.table import Row
from kernel.clock import ManualClock
from kernel.log.positions import Kind, Shard, Stream
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from tests.consumers.delivery.test_unreadable_history import Away
from tests.consumers.heard import messages
from tests.consumers.hurry import in_no_time
from tests.consumers.protocol.test_one_frame import ask, lose, opened, subscribe
from tests.security.wire import HANDSHAKE, Transport

CODEC = Codec("presence")


def beat(edge: str, viewers: Mapping[str, int], *, cell: str = "c") -> Row:
    """What another edge says; of each stream in two shards."""
    slots = [(Slot(stream, 1, shard), number) for stream, number in viewers.items() for shard in (0, 1)]
    said = heartbeat(edge, cell=cell, url=f"ws://{edge}", at_ms=0, partitions=[1, 2], viewers=slots)
    return Row(edge, said, 0, 0, 0)


class Place:
    """An edge with its presence, and a clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.service = bare_service(clock=self.clock)
        self.others = Presence(self.clock)
        self.presence = Heartbeat(
            edge="me",
            cell="c",
            url="ws://me",
            hub=self.service.subscriptions.hub,
            clock=self.clock,
            codec=CODEC,
            presence=self.others,
        )

    def watch(self, stream: str) -> Transport:
        viewer = opened(self.service, HANDSHAKE)
        ask(viewer, subscribe(1, stream))
        return viewer


def told(viewer: Transport) -> list[int]:
    return [message["viewers"] for message in messages(viewer, "presence")]


def test_viewers_are_told_their_number_when_it_changes_and_only_then() -> None:
    async def run() -> None:
        place = Place()
        first, other = place.watch("chat:a"), place.watch("chat:b")
        list(place.presence.push())
        list(place.presence.push())
        second = place.watch("chat:a")
        list(place.presence.push())
        list(place.presence.push())
        lose(second)
        list(place.presence.push())
        assert told(first) == [1, 2, 1]
        assert told(second) == [2]
        assert told(other) == [1]
        await place.service.close()

    asyncio.run(run())


def test_the_number_is_over_all_edges_and_all_shards() -> None:
    async def run() -> None:
        place = Place()
        viewer = place.watch("chat:a")
        place.others.learn(beat("one", {"chat:a": 10, "chat:b": 7}))
        place.others.learn(beat("two", {"chat:a": 3}, cell="another"))
        place.others.learn(beat("me", {"chat:a": 1000}))
        list(place.presence.push())
        place.others.learn(beat("one", {"chat:a": 4}))
        list(place.presence.push())
        place.others.learn(Row("two", None, 0, 0, 0))
        list(place.presence.push())
        assert told(viewer) == [27, 15, 9]
        await place.service.close()

    asyncio.run(run())


def test_the_viewers_of_an_edge_that_died_count_for_seven_seconds_more() -> None:
    async def run() -> None:
        place = Place()
        viewer = place.watch("chat:a")
        place.others.learn(beat("one", {"chat:a": 10}))
        for seconds in (0, 6.9, 0.2):
            place.clock.advance(seconds)
            list(place.presence.push())
        assert told(viewer) == [21, 1]
        await place.service.close()

    asyncio.run(run())


def test_an_edge_does_not_send_its_viewers_to_itself() -> None:
    place = Place()
    place.others.learn(beat("me", {}))
    assert place.presence.owner(1) is None
    place.others.learn(beat("one", {}))
    assert place.presence.owner(1) == "ws://one"


class Listening(Transport):
    """A viewer who notes when their number is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.when: list[float] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        if b'"op":"presence"' in bytes(data):
            self.when.append(asyncio.get_running_loop().time())


class Unheard:
    """A producer whose records nobody reads."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def post_soon(self, topic: str, key: str, value: bytes | None) -> None:
        self.topics.append(topic)


def test_however_fast_they_come_and_go_they_are_told_at_most_once_in_two_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poster = Unheard()
    monkeypatch.setattr("consumers.edge.KafkaPoster", lambda *_: poster)

    async def run() -> None:
        settings, loop = Settings(), asyncio.get_running_loop()
        clock, live = ManualClock(), topic_names(settings).fanout_live
        history = Away()
        edge = Edge(settings, clock=clock, history=history, state=KnownByHand(settings, clock))
        edge.assigned({(live, 0)}, {(live, 0)}, {live: 1})
        edge.filled((live, 0))
        edge.service.admission.open = True
        listening = Listening()
        opened(edge.service, HANDSHAKE, listening)
        assert ask(listening, subscribe(1, "chat:a")) == [(1, "subscribed")]

        def come_and_stay() -> None:
            ask(opened(edge.service, HANDSHAKE), subscribe(1, "chat:a"))

        for number in range(100):
            loop.call_at(0.1 * number, come_and_stay)
        beating = asyncio.create_task(edge.beat())
        await asyncio.wait([beating], timeout=13)
        beating.cancel()
        assert told(listening)[-1] == 101
        assert told(listening) == sorted(set(told(listening)))
        assert all(later - sooner > 1.99 for sooner, later in itertools.pairwise(listening.when))
        assert 4 <= len(listening.when) <= 6, "they are told while it goes on, too"
        assert poster.topics.count(topic_names(settings).presence) >= 6
        await edge.service.close()

    in_no_time(run())


MANY = 30 * 256


class Crowd(Place):
    """An edge on which somebody watches more streams than one record could tell of."""

    def __init__(self, streams: int = MANY) -> None:
        super().__init__()
        for number in range(streams):
            stream = Stream(Kind.CHAT, f"{number:0128}")
            shard = Shard(stream.channel, 1, 0)
            self.service.subscriptions.hub.audience(stream, shard, 0, lambda _: True).viewers = 1


def said(place: Place) -> dict[str, bytes | None]:
    return dict(place.presence.parts({1, 2}))


def hear(place: Place, parts: Mapping[str, bytes | None], edge: str) -> None:
    for key, value in parts.items():
        decoded = None if value is None else CODEC.decode(value)
        place.others.learn(Row(key.replace("me", edge), decoded, 0, 0, 0))


def test_a_heartbeat_comes_in_parts_that_a_record_may_hold_and_every_reader_sums_them_up() -> None:
    crowd, hearer = Crowd(), Place()
    parts = said(crowd)
    assert len(parts) > 1
    assert max(len(value or b"") for value in parts.values()) < 256 * 1024
    hear(hearer, parts, "it")
    assert sum(hearer.presence.viewers(f"chat:{number:0128}") for number in range(MANY)) == MANY
    assert hearer.others.viewers().total() == MANY
    assert hearer.others.edges() == 1
    assert [hearer.presence.owner(number) for number in (1, 3)] == ["ws://me", None]
    hear(crowd, parts, "me")  # its own words
    assert sum(crowd.presence.viewers(f"chat:{number:0128}") for number in range(MANY)) == MANY
    hearer.clock.advance(7.1)
    assert not hearer.others.viewers()
    assert hearer.presence.viewers(f"chat:{7:0128}") == 0


def test_parts_that_are_not_needed_any_more_are_taken_back() -> None:
    crowd, hearer = Crowd(2500), Place()
    before = said(crowd)
    for audience in crowd.service.subscriptions.hub.audiences()[10:]:
        crowd.service.subscriptions.hub.leave(audience)
    after = said(crowd)
    hear(hearer, before, "it")
    hear(hearer, after, "it")
    assert [key for key, value in after.items() if value is None] == ["me#1", "me#2"]
    assert sum(hearer.presence.viewers(f"chat:{number:0128}") for number in range(2500)) == 10
    restarted = Place()
    hear(restarted, before, "me")
    assert [key for key, value in said(restarted).items() if value is None] == ["me#1", "me#2"]


def test_asking_costs_the_same_however_many_streams_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is looked at, not by time: of other streams nothing is."""
    crowd = Crowd()

    def all_of_them(_: Hub) -> None:
        raise AssertionError("all streams are looked at")

    monkeypatch.setattr(Hub, "viewers", all_of_them)
    monkeypatch.setattr(Hub, "audiences", all_of_them)
    assert crowd.presence.viewers(f"chat:{7:0128}") == 1
