"""From when on a channel's record says how the channel was: a replay begins no earlier."""

from collections.abc import Iterator

import pytest

from control.channels.channel import (
    ChannelRecord,
    Settings,
    known_since,
    with_retired,
    with_settings,
    with_shards,
)
from control.channels.snapshot import Snapshot
from control.topic_tables.table import Row
from kernel.errors import TouchlineError
from streams.recovery.replay import refuse_what_was_forgotten


def changed(times: int) -> ChannelRecord:
    record = ChannelRecord(channel="final")
    for number in range(1, times + 1):
        record = with_settings(record, Settings(max_text=number), 1000 * number)
    return record


def resharded(times: int) -> Iterator[ChannelRecord]:
    record = ChannelRecord(channel="final")
    for number in range(1, times + 1):
        record = with_shards(record, 1 + number % 2 + 1, 1000 * number)
        record = with_retired(record, record.versions[-2].version, 1000 * number + 500)
        yield record


def test_a_record_knows_all_until_more_was_changed_than_it_keeps() -> None:
    assert [known_since(changed(n)) for n in (0, 1, 8)] == [0, 0, 0]
    assert [known_since(changed(n)) for n in (9, 12)] == [1000, 4000]
    assert [known_since(record) for record in resharded(8)] == [0] * 8
    assert list(map(known_since, resharded(12)))[-1] > 0


def test_a_replay_from_before_that_is_refused_with_a_sentence() -> None:
    registry = Snapshot()
    from control.channels.channel import to_avro

    registry.learn(Row("final", to_avro(changed(12)), 0, 0, 0))
    refuse_what_was_forgotten(registry, [], 4000)
    refuse_what_was_forgotten(registry, ["other"], 0)
    for channels in ([], ["final"], ["final~1"]):
        with pytest.raises(TouchlineError, match=r"final before 1970-01-01T00:00:04\.000Z") as told:
            refuse_what_was_forgotten(registry, channels, 3999)
        assert told.value.code == "not_found"
