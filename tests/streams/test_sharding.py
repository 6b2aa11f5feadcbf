"""Shards follow the audience, with a gap between growing and shrinking; versions end with their viewers."""

import pytest

from control.channels.channel import ChannelRecord, ChannelVersion, Settings, with_retired, with_shards
from streams.upkeep.shard_planning import Policy, reshard_due, retirable, wanted_shards

POLICY = Policy(viewers_per_shard=100, max_shards=8, hold_ms=30_000)
LATER = 1_000_000


def with_shards_now(shards: int, **settings: int) -> ChannelRecord:
    return ChannelRecord(
        channel="c",
        versions=(ChannelVersion(1, shards, 0),),
        settings=Settings(**settings),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("now", "viewers", "wanted"),
    [
        (1, 0, 1),
        (1, 100, 1),
        (1, 101, 2),
        (1, 5000, 8),
        (4, 301, 4),
        (4, 150, 4),
        (4, 149, 2),
        (4, 0, 1),
    ],
)
def test_shards_follow_the_audience_within_bounds(now: int, viewers: int, wanted: int) -> None:
    assert wanted_shards(with_shards_now(now), viewers, POLICY) == wanted


def test_a_channels_own_bounds_win() -> None:
    assert wanted_shards(with_shards_now(1, min_shards=3), 0, POLICY) == 3
    assert wanted_shards(with_shards_now(1, max_shards=20), 5000, POLICY) == 20


def test_an_audience_that_swings_about_a_threshold_does_not_move_viewers_to_and_fro() -> None:
    record, changes = with_shards_now(1), 0
    for step in range(200):
        now = LATER + step * 60_000
        due = reshard_due(record, 101 if step % 2 else 99, now, POLICY)
        if due is not None:
            changes += 1
            record = with_shards(record, due, now)
            record = with_retired(record, record.versions[0].version, now)
    assert changes == 1


def test_no_third_version_while_viewers_still_move_to_the_second() -> None:
    record = with_shards(with_shards_now(1), 2, LATER)
    assert reshard_due(record, 5000, LATER + 90_000, POLICY) is None


def test_a_version_is_retired_once_its_last_viewer_has_left_and_not_too_soon() -> None:
    record = with_shards(with_shards_now(1), 2, LATER)
    assert retirable(record, {2: 5}, LATER + 29_999, POLICY) == []
    assert retirable(record, {1: 1, 2: 5}, LATER + 30_000, POLICY) == []
    assert retirable(record, {2: 5}, LATER + 30_000, POLICY) == [1]
    assert retirable(record, {}, LATER + 30_000, POLICY) == [1]
    assert [v.version for v in with_retired(record, 1, LATER + 40_000).live] == [2]


def test_the_newest_version_is_never_retired() -> None:
    record = with_shards_now(2)
    assert with_retired(record, 1, LATER) is record
