"""Who watches what, as the operators' page tells it."""

from control.channels.channel import ChannelRecord, ChannelVersion
from control.edges.presence import Beat, Slot, beat_of, heartbeat
from control.topic_tables.table import Row
from gateway.channels.audience import MOST_CHANNELS, by_channel


def beat(*audiences: tuple[str, int, int]) -> Beat:
    viewers = [(Slot(stream, version, 0), number) for stream, version, number in audiences]
    return beat_of(Row("e", heartbeat("e", cell="c", url="", at_ms=0, viewers=viewers), 0, 0, 0), 0.0)


def test_who_watches_ticker_and_chat_of_a_match_is_one_viewer_over_all_edges() -> None:
    beats = [
        beat(("chat:final", 1, 3), ("broadcast:final", 1, 4)),
        beat(("broadcast:final", 1, 2), ("chat:other", 1, 1)),
    ]
    assert [(row["channel"], row["viewers"]) for row in by_channel(beats, [])] == [("final", 6), ("other", 1)]


def test_a_channel_is_told_with_its_versions_and_who_is_still_on_the_old_one() -> None:
    versions = (ChannelVersion(1, 1, 0, 5), ChannelVersion(2, 4, 5))
    known = [ChannelRecord(channel="final", lanes=2, versions=versions)]
    (row,) = by_channel([beat(("chat:final", 1, 2), ("chat:final", 2, 7))], known)
    assert row == {
        "channel": "final",
        "viewers": 9,
        "lanes": 2,
        "versions": [
            {"version": 1, "shards": 1, "retiring": True, "viewers": 2},
            {"version": 2, "shards": 4, "retiring": False, "viewers": 7},
        ],
    }


def test_what_nobody_has_changed_has_one_version_with_one_shard() -> None:
    (row,) = by_channel([beat(("chat:a", 1, 1))], [])
    assert row["versions"] == [{"version": 1, "shards": 1, "retiring": False, "viewers": 1}]


def test_only_the_largest_are_told() -> None:
    beats = [beat(*((f"chat:c{n}", 1, n) for n in range(MOST_CHANNELS + 20)))]
    rows = by_channel(beats, [])
    assert len(rows) == MOST_CHANNELS
    assert rows[0]["viewers"] == MOST_CHANNELS + 19


def test_who_watches_a_lane_watches_its_channel() -> None:
    (row,) = by_channel([beat(("chat:final~3", 1, 2), ("chat:final", 1, 1))], [])
    assert (row["channel"], row["viewers"]) == ("final", 2)
