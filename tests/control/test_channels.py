"""Channels: one record a channel, lanes included; what cannot be written changes nothing."""

import msgspec
import pytest

from bench.rig.known import KnownByHand
from control.channels.channel import ChannelRecord, ChannelVersion, Settings, to_avro
from control.channels.epochs import Epoch
from control.channels.lists import CLOSED, EXPIRING, SPREAD
from control.channels.snapshot import Snapshot
from control.channels.table import channel_type
from control.following.table import Row
from kernel.access.tokens import Grants
from kernel.clock import ManualClock
from kernel.settings.reading import Settings as Deployment
from schemas.codec import Codec


def row(record: ChannelRecord, key: str | None = None) -> Row:
    return Row(key or record.channel, to_avro(record), 0, 0, 0)


def test_a_lane_is_as_its_channel_is_whatever_was_once_set_for_it() -> None:
    known = Snapshot()
    final = ChannelRecord(channel="final", settings=Settings(publishers=("ana",)), revision=1)
    known.learn(row(final))
    known.learn(row(ChannelRecord(channel="final~3", settings=Settings(slow_s=1.0), revision=9)))
    assert known.channel("final~3") is known.channel("final")
    assert known.channel("final~99").settings.publishers == ("ana",)
    assert "final~3" in known
    assert [record.channel for record in known] == ["final"]
    assert known.channel("user-a~3").channel == "user-a~3", "it has no lanes"


def test_of_what_comes_late_the_newest_counts() -> None:
    known = Snapshot()
    new = ChannelRecord(channel="c", lanes=4, revision=2)
    known.learn(row(new))
    known.learn(row(ChannelRecord(channel="c", revision=1)))
    known.learn(row(new))
    assert known.channel("c") == new
    known.learn(Row("c", None, 1, 0, 0))
    assert known.channel("c") == new, "that was an older record's end, in another partition"
    known.learn(Row("c", None, 0, 0, 0))
    assert known.channel("c").lanes == 0
    assert "c" not in known


def test_one_state_says_who_reads_how_long_and_how_it_is_spread() -> None:
    state = KnownByHand(Deployment(), ManualClock())
    changed: list[str] = []
    state.channels.on_change.append(changed.append)
    record = ChannelRecord(
        channel="den",
        lanes=2,
        versions=(ChannelVersion(1, 1, 0), ChannelVersion(2, 8, 5)),
        settings=Settings(readers=("ben",), retention="day"),
    )
    ana, ben = Grants(user="ana", can={}), Grants(user="ben", can={})
    state.caught_up()
    assert state.may_read(ana, "den~1")
    state.set_channel(record)
    assert (state.may_read(ana, "den~1"), state.may_read(ben, "den~1")) == (False, True)
    assert state.readers.hidden_from(ana) == ["den"]
    assert state.retention.kept_since("den~1", 10**12) > 0
    assert state.layout("den~1") == state.layout("den") == (2, 8, 2)
    assert state.shard("den~1", "ana")[1:] == state.shard("den", "ana")[1:]
    state.set_channel(msgspec.structs.replace(record, settings=Settings(), revision=1))
    assert state.may_read(ana, "den")
    assert (state.retention.kept_since("den", 10**12), changed) == (0, ["den", "den"])


def test_who_may_read_an_alerts_stream_changes_with_the_alert() -> None:
    state = KnownByHand(Deployment(), ManualClock())
    changed: list[str] = []
    state.channels.on_change.append(changed.append)
    state.caught_up()
    ben = Grants(user="ben", can={})
    (alerts,) = state.tables("alerts")
    alerts.found(0, 0)
    for offset, readers in enumerate(('["ben"]', "[]")):
        said = {"command": "set_alert", "arguments": f'{{"owner":"ana","readers":{readers}}}'}
        row = alerts.read(0, offset, 0, b"goals", Codec("control").encode(said))
        assert row is not None
        alerts.take(row)
        assert state.may_read(ben, "alert-goals") is (offset == 0)
    assert changed == ["alert-goals"] * 2


ONE, TWO = ChannelVersion(1, 1, 0), ChannelVersion(2, 8, 5)


@pytest.mark.parametrize(
    ("record", "lists"),
    [
        (ChannelRecord(channel="c"), 0),
        (ChannelRecord(channel="c", lanes=4, settings=Settings(members=("ana",), blocked=("b",))), 0),
        (ChannelRecord(channel="c", settings=Settings(readers=("ana", "ben"))), CLOSED),
        (ChannelRecord(channel="c", settings=Settings(retention="day", slow_s=1.5)), EXPIRING),
        (ChannelRecord(channel="c", versions=(ONE, TWO)), SPREAD),
        (ChannelRecord(channel="c", versions=(msgspec.structs.replace(ONE, until=5), TWO)), SPREAD),
        (ChannelRecord(channel="c", versions=(TWO, ChannelVersion(3, 1, 9))), SPREAD),
        (ChannelRecord(channel="c", versions=(msgspec.structs.replace(TWO, until=9), ONE)), 0),
        (ChannelRecord(channel="c", versions=(TWO,), settings=Settings(readers=("a",))), CLOSED | SPREAD),
        (ChannelRecord(channel="c", versions=(ChannelVersion(1, 0, 0),)), 0),
        (ChannelRecord(channel="c", versions=(ChannelVersion(1, 1_000_000, 0),)), 0),
    ],
)
def test_the_lists_of_a_channel_are_read_off_its_bytes_as_off_its_record(
    record: ChannelRecord, lists: int
) -> None:
    type_ = channel_type(Deployment(), listing=CLOSED | EXPIRING | SPREAD)
    assert type_.peek is not None
    assert type_.flags is not None
    value = type_.encode(record)
    assert type_.peek(b"c", value) == type_.flags(b"c", type_.decode(value)) == lists
    only = channel_type(Deployment(), listing=SPREAD)
    assert only.peek is not None
    assert only.peek(b"c", value) == lists & SPREAD


def test_the_record_of_the_epochs_is_on_no_list_and_no_channel_is_read_off_what_is_none() -> None:
    from control.channels.table import EpochsRecord
    from kernel.errors import TouchlineError

    type_ = channel_type(Deployment(), listing=CLOSED | EXPIRING | SPREAD)
    assert type_.peek is not None
    value = type_.encode(EpochsRecord({"t": [Epoch(1, "x", 2, {0: 5})]}))
    assert type_.peek(b"$epochs", value) == 0
    for damaged in (b"", b"\0bad", value[:5], value[:7]):
        with pytest.raises(TouchlineError):
            type_.peek(b"c", damaged)
