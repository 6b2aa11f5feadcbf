"""Who watches what, as the operators' page tells it."""

from typing import Any

from gateway.channels.audience import MOST_CHANNELS, by_channel


def beat(*audiences: tuple[str, int, int]) -> dict[str, Any]:
    streams = [{"stream": s, "version": v, "shard": 0, "viewers": n} for s, v, n in audiences]
    return {"edge": "e", "streams": streams}


def test_who_watches_ticker_and_chat_of_a_match_is_one_viewer_over_all_edges() -> None:
    beats = [
        beat(("chat:final", 1, 3), ("broadcast:final", 1, 4)),
        beat(("broadcast:final", 1, 2), ("chat:other", 1, 1)),
    ]
    assert [(row["channel"], row["viewers"]) for row in by_channel(beats, {})] == [("final", 6), ("other", 1)]


def test_a_channel_is_told_with_its_versions_and_who_is_still_on_the_old_one() -> None:
    versions = [
        {"version": 1, "shards": 1, "since": 0, "until": 5},
        {"version": 2, "shards": 4, "since": 5, "until": None},
    ]
    known = {"final": {"lanes": 2, "versions": versions}, "$epochs": {"lanes": 0, "versions": []}}
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
    (row,) = by_channel([beat(("chat:a", 1, 1))], {})
    assert row["versions"] == [{"version": 1, "shards": 1, "retiring": False, "viewers": 1}]


def test_only_the_largest_are_told() -> None:
    beats = [beat(*((f"chat:c{n}", 1, n) for n in range(MOST_CHANNELS + 20)))]
    rows = by_channel(beats, {})
    assert len(rows) == MOST_CHANNELS
    assert rows[0]["viewers"] == MOST_CHANNELS + 19
