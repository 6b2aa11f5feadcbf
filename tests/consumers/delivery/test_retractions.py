"""What was taken back goes out of rings, whatever else the edge holds, and in turns that let others by."""

import json
from collections.abc import Callable, Iterator
from time import process_time

from consumers.delivery.backfill import Backfill
from consumers.delivery.hub import Hub, Raw
from consumers.delivery.records import FanoutRecord
from consumers.delivery.retractions import TakingBack
from control.moderation.moderation import Moderation
from history.retractions import TakenBack
from history.visible import ReadPage
from kernel.clock import SystemClock
from kernel.log.positions import OVERVIEW, OVERVIEW_SHARD
from kernel.settings.reading import Settings
from tests.consumers.delivery.viewers import Log, join, split


class Timers:
    """What is to be done later, by when."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        self.due.append((self.now + seconds, call))

    def turns(self, until: float) -> Iterator[float]:
        """Do what is due by then, one call a turn; says what each took."""
        while self.due and min(at for at, _ in self.due) <= until:
            self.due.sort(key=lambda due: due[0])
            self.now, call = self.due.pop(0)
            start = process_time()
            call()
            yield process_time() - start


def decode(value: bytes) -> FanoutRecord:
    event = json.loads(value)
    return FanoutRecord(event["stream"], event["seq"], 0, value)


def identity(seq: int) -> str:
    return f"{seq:020}"


def said(channel: str, seq: int, text: str) -> Raw:
    stream = f"chat:{channel}"
    event = {
        "id": identity(seq),
        "stream": stream,
        "seq": seq,
        "type": "message",
        "sender": "eve",
        "data": {"text": text},
    }
    return Raw(0, f"{channel}#1#0".encode(), json.dumps(event, separators=(",", ":")).encode())


class Edge:
    def __init__(self) -> None:
        self.hub = Hub(decode, ring_events=1000, ring_bytes=10**9)
        self.hub.whole = {("live", 0)}
        self.timers = Timers()
        taken_back = TakenBack(Moderation(Settings(), SystemClock()))
        self.retract = TakingBack(self.hub, Backfill(NoPast()), taken_back, self.timers.later).retracted

    def says(self, channel: str, number: int, text: str = "words") -> None:
        key = f"{channel}#1#0".encode()
        self.hub.feed(f"chat:{channel}", key, whole=True)
        self.hub.take("live", [said(channel, seq, text) for seq in range(1, number + 1)])

    def frames(self, channel: str) -> list[bytes]:
        """What the ring of a channel holds."""
        feed = self.hub.feed(f"chat:{channel}", f"{channel}#1#0".encode(), whole=True)
        return split(feed.ring.events_after(0, 1 << 20)[0].chunk)

    def seen(self) -> list[str | None]:
        """What a viewer of `final` who comes now is shown."""
        return [event["data"].get("text") for event in join(self.hub, Log(), after=0).events]


class NoPast:
    """Nobody reads it here."""

    async def read(self, *_: object, **__: object) -> ReadPage:
        raise AssertionError

    async def find(self, *_: object, **__: object) -> bytes | None:
        raise AssertionError

    async def replies(self, *_: object, **__: object) -> dict[str, int]:
        raise AssertionError


def test_what_was_taken_back_is_shown_without_its_text_and_other_channels_are_left_alone() -> None:
    edge = Edge()
    edge.says("final", 3)
    edge.says("final~1", 3)
    edge.says("semifinal", 3)
    edge.retract("final", identity(2))
    list(edge.timers.turns(0))
    assert edge.seen() == ["words", None, "words"]
    lane, other = edge.frames("final~1"), edge.frames("semifinal")
    assert [b"retracted" in frame for frame in lane] == [False, True, False]
    assert not any(b"retracted" in frame for frame in other)


def test_a_message_that_comes_after_the_record_of_its_retraction_goes_too() -> None:
    edge = Edge()
    edge.retract("final", identity(1))
    list(edge.timers.turns(0.1))
    edge.says("final", 2)
    list(edge.timers.turns(1))
    assert edge.seen() == [None, "words"]


def test_figures_that_came_before_an_operator_watched_are_of_no_channel() -> None:
    edge, key = Edge(), OVERVIEW_SHARD.key.encode()
    event = {"stream": OVERVIEW, "seq": 1, "type": "figures", "data": {}}
    edge.hub.take("ops", [Raw(0, key, json.dumps(event).encode())])
    (feed,) = edge.hub.overview().feeds
    assert feed.ring.head == 1


def test_many_retractions_at_an_edge_of_many_channels_take_turns_and_little_time() -> None:
    edge = Edge()
    for number in range(20_000):
        edge.says(f"other-{number}", 1)
    edge.says("final", 1000, "a text of some length " * 20)
    for seq in range(1, 501):
        edge.retract("final", identity(seq))
    took = list(edge.timers.turns(60))
    assert edge.seen().count(None) == 500
    # A tenth of that is enough here; walking over all streams, four times for each, takes ten.
    assert sum(took) < 4
    assert len(took) < 500
