"""Viewers are the sum over living edges, counted alike by edges, workers and gateways."""

from control.edges.presence import (
    DEAD_AFTER_S,
    Presence,
    Slot,
    by_channel,
    by_stream,
    by_version,
    heartbeat,
    totals,
)
from control.topic_tables.table import Row
from kernel.clock import ManualClock


class Heard:
    """Heartbeats that arrive the moment they are appended."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.presence = Presence(self.clock)
        self.append_ms = 1_767_225_600_000

    def beat(
        self, edge: str, *rows: tuple[str, int, int, int], cell: str = "c", leaving: bool = False
    ) -> None:
        viewers = [(Slot(*row[:3]), row[3]) for row in rows]
        said = heartbeat(
            edge,
            cell=cell,
            url=f"ws://{edge}",
            at_ms=0,
            leaving=leaving,
            partitions=[1, 2],
            viewers=viewers,
        )
        self.presence.learn(Row(edge, said, 0, 0, self.append_ms))

    def leave(self, edge: str) -> None:
        self.presence.learn(Row(edge, None, 0, 0, self.append_ms))

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.append_ms += round(seconds * 1000)


def test_the_latest_heartbeat_of_each_edge_counts() -> None:
    heard = Heard()
    heard.beat("e1", ("chat:c", 1, 0, 5))
    heard.wait(2)
    heard.beat("e1", ("chat:c", 1, 0, 7), ("broadcast:c", 2, 1, 9))
    heard.beat("e2", ("chat:c", 1, 0, 1))
    viewers = heard.presence.viewers()
    assert viewers == {Slot("chat:c", 1, 0): 8, Slot("broadcast:c", 2, 1): 9}
    assert by_stream(viewers) == {"chat:c": 8, "broadcast:c": 9}
    assert by_channel(viewers) == {"c": 9}
    assert by_version(viewers) == {"c": {1: 8, 2: 9}}
    assert (heard.presence.watching("chat:c"), heard.presence.watching("chat:c", but="e1")) == (8, 1)


def test_whoever_watches_a_lane_holds_its_channels_version() -> None:
    heard = Heard()
    heard.beat("e", ("chat:c", 2, 0, 3), ("chat:c~4", 1, 0, 2))
    viewers = heard.presence.viewers()
    assert by_channel(viewers) == {"c": 3}
    assert by_version(viewers) == {"c": {2: 3, 1: 2}}


def test_an_edge_that_falls_silent_is_gone_after_one_time_for_whoever_asks() -> None:
    heard = Heard()
    heard.beat("dies", ("chat:c", 1, 0, 5))
    heard.wait(DEAD_AFTER_S - 1)
    heard.beat("lives", ("chat:c", 1, 0, 1))
    heard.wait(0.9)
    assert heard.presence.viewers().total() == 6
    assert heard.presence.owner("c", 1) == "ws://dies"
    heard.wait(0.2)
    assert heard.presence.viewers().total() == 1
    assert [beat.edge for beat in heard.presence.beats()] == ["lives"]
    assert heard.presence.watching("chat:c") == 1
    assert heard.presence.owner("c", 1) == "ws://lives"


def test_an_edge_that_died_before_this_process_started_does_not_count() -> None:
    heard = Heard()
    heard.beat("dead", ("chat:c", 1, 0, 5))
    heard.append_ms += 60_000  # all of it is read in one moment, a minute after the first was said
    heard.beat("lives", ("chat:c", 1, 0, 1))
    heard.presence.settle()
    assert heard.presence.viewers().total() == 1


def test_an_edge_that_says_goodbye_is_gone_at_once() -> None:
    heard = Heard()
    heard.beat("e", ("chat:c", 1, 0, 5))
    heard.leave("e")
    assert heard.presence.viewers().total() == 0


def test_nobody_is_sent_to_an_edge_that_leaves_is_in_another_cell_or_asks() -> None:
    heard = Heard()
    heard.beat("one")
    assert (heard.presence.owner("c", 1), heard.presence.owner("c", 3)) == ("ws://one", None)
    assert heard.presence.owner("c", 1, but="one") is None
    heard.beat("one", leaving=True)
    heard.beat("two", cell="another")
    assert heard.presence.owner("c", 1) is None


def test_the_brokers_time_goes_on_between_heartbeats() -> None:
    heard = Heard()
    heard.beat("e")
    heard.clock.advance(1.5)
    assert heard.presence.broker_ms() == heard.append_ms + 1500


def test_the_sums_say_how_many_there_are_in_all() -> None:
    heard = Heard()
    heard.beat("e1", ("chat:c", 1, 0, 5), ("chat:c", 1, 1, 2))
    heard.beat("e2", ("broadcast:d", 1, 0, 1))
    rows = totals(heard.presence.viewers(), 12)["streams"]
    assert [(row["stream"], row["viewers"]) for row in rows] == [("", 8), ("broadcast:d", 1), ("chat:c", 7)]
