"""How often and how far a channel may be resharded, and what a registry of an earlier time may hold."""

import json

import pytest

from control.channels.channel import (
    MAX_LIVE,
    MAX_LIVE_SHARDS,
    ChannelRecord,
    ChannelVersion,
    Settings,
    check_size,
    from_avro,
    to_avro,
    with_retired,
)
from control.channels.commands import carry_out
from control.channels.reshard_limits import RESHARD_EVERY_MS
from control.commands.checks import check_command
from kernel.errors import TouchlineError

AT = 1_767_225_600_000


def reshard(record: ChannelRecord, shards: int, at: int) -> ChannelRecord:
    command = {"command": "reshard", "arguments": json.dumps({"shards": shards})}
    return carry_out(record, command, at)


def test_forty_reshards_in_a_row_leave_a_few_versions_with_a_bounded_number_of_shards() -> None:
    record, refused = ChannelRecord(channel="c"), set()
    for number in range(40):
        try:
            record = reshard(record, 256 - number, AT + number * RESHARD_EVERY_MS // 2)
        except TouchlineError as error:
            refused.add(error.code)
    assert len(record.live) <= MAX_LIVE
    assert sum(v.shards for v in record.live) <= MAX_LIVE_SHARDS
    assert refused == {"rate_limited", "limit_reached"}


def test_a_reshard_too_soon_is_refused_with_the_wait_and_taken_after_it() -> None:
    record = reshard(ChannelRecord(channel="c"), 4, AT)
    with pytest.raises(TouchlineError, match="Try again in 3 s"):
        reshard(record, 8, AT + RESHARD_EVERY_MS - 3000)
    assert reshard(record, 8, AT + RESHARD_EVERY_MS).newest.shards == 8


def test_whether_a_reshard_could_be_carried_out_is_asked_without_a_time() -> None:
    check_command("c", "reshard", {"shards": 3})


def test_a_retired_version_makes_room() -> None:
    record = ChannelRecord(channel="c")
    for number in range(MAX_LIVE - 1):
        record = reshard(record, number + 2, AT + number * RESHARD_EVERY_MS)
    later = AT + 10 * RESHARD_EVERY_MS
    with pytest.raises(TouchlineError, match="live versions"):
        reshard(record, 9, later)
    assert reshard(with_retired(record, 1, later), 9, later).newest.shards == 9


def test_a_record_of_forty_live_versions_is_read_with_the_newest_of_them() -> None:
    versions = tuple(ChannelVersion(n + 1, 256 - n, 0) for n in range(40))
    read = from_avro(to_avro(ChannelRecord(channel="c", versions=versions, revision=40)))
    assert read.newest == versions[-1]
    assert len(read.live) <= MAX_LIVE
    assert sum(v.shards for v in read.live) <= MAX_LIVE_SHARDS
    assert read.revision == 40


@pytest.mark.parametrize(
    "version", [ChannelVersion(-1, 1, 0), ChannelVersion(1, 0, 0), ChannelVersion(1, 2**31 - 1, 0)]
)
def test_versions_that_cannot_be_are_none(version: ChannelVersion) -> None:
    read = from_avro(to_avro(ChannelRecord(channel="c", versions=(version,), lanes=2**31 - 1)))
    assert read.versions == (ChannelVersion(1, 1, 0),)
    assert read.lanes == 64


def test_a_record_of_an_ordinary_channel_is_read_as_it_is() -> None:
    record = reshard(ChannelRecord(channel="c", settings=Settings(slow_s=2.0), lanes=3), 4, AT)
    assert from_avro(to_avro(record)) == record


def test_a_record_that_no_topic_takes_is_refused_before_anything_is_changed() -> None:
    with pytest.raises(TouchlineError, match="at most 1,048,576"):
        check_size("c", bytes(1_100_000))
