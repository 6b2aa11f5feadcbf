"""Viewers are the sum over living edges; a silent edge vanishes within ten seconds."""

from typing import Any

from control.presence import Audience, Slot, by_channel, by_stream, by_version, totals


def heartbeat(*rows: tuple[str, int, int, int]) -> dict[str, Any]:
    names = ("stream", "version", "shard", "viewers")
    return {"streams": [dict(zip(names, row, strict=True)) for row in rows]}


def test_the_latest_heartbeat_of_each_edge_counts() -> None:
    audience = Audience()
    audience.heard("e1", heartbeat(("chat:c", 1, 0, 5)), 0.0)
    audience.heard("e1", heartbeat(("chat:c", 1, 0, 7), ("broadcast:c", 2, 1, 9)), 2.0)
    audience.heard("e2", heartbeat(("chat:c", 1, 0, 1)), 2.0)
    viewers = audience.viewers(3.0)
    assert viewers == {Slot("chat:c", 1, 0): 8, Slot("broadcast:c", 2, 1): 9}
    assert by_stream(viewers) == {"chat:c": 8, "broadcast:c": 9}
    assert by_channel(viewers) == {"c": 9}
    assert by_version(viewers) == {"c": {1: 8, 2: 9}}


def test_an_edge_that_falls_silent_is_gone_within_ten_seconds() -> None:
    audience = Audience()
    audience.heard("dies", heartbeat(("chat:c", 1, 0, 5)), 0.0)
    audience.heard("lives", heartbeat(("chat:c", 1, 0, 1)), 7.0)
    assert audience.viewers(7.9).total() == 6
    assert audience.viewers(8.0).total() == 1
    assert audience.living(8.0) == ["lives"]


def test_an_edge_that_says_goodbye_is_gone_at_once() -> None:
    audience = Audience()
    audience.heard("e", heartbeat(("chat:c", 1, 0, 5)), 0.0)
    audience.heard("e", None, 1.0)
    assert audience.viewers(1.0).total() == 0


def test_the_sums_say_how_many_there_are_in_all() -> None:
    audience = Audience()
    audience.heard("e1", heartbeat(("chat:c", 1, 0, 5), ("chat:c", 1, 1, 2)), 0.0)
    audience.heard("e2", heartbeat(("broadcast:d", 1, 0, 1)), 0.0)
    rows = totals(audience.viewers(0.0), 12)["streams"]
    assert [(row["stream"], row["viewers"]) for row in rows] == [("", 8), ("broadcast:d", 1), ("chat:c", 7)]
