"""Commands on touchline.control, and the times from which what they change holds."""

import json
from typing import Any

import pytest

from control.channels import (
    LEAD_MS,
    ChannelRecord,
    Settings,
    from_avro,
    horizon,
    settings_at,
    to_avro,
    versions_at,
)
from control.commands import apply_command
from kernel.errors import TouchlineError
from schemas.codec import Codec

AT = 1_767_225_600_000


def command(name: str, **arguments: Any) -> dict[str, Any]:
    return {"command": name, "arguments": json.dumps(arguments)}


def apply(record: ChannelRecord, offset: int, name: str, **arguments: Any) -> ChannelRecord:
    return apply_command(record, command(name, **arguments), AT + offset, partition=0, offset=offset)


def test_settings_hold_a_moment_after_the_command_and_earlier_ones_until_then() -> None:
    record = apply(ChannelRecord(channel="c"), 0, "set_channel", slow_s=5)
    assert record.settings == Settings(slow_s=5.0)
    assert settings_at(record, AT + LEAD_MS - 1) == Settings()
    assert settings_at(record, AT + LEAD_MS) == Settings(slow_s=5.0)
    assert horizon(record, AT) == (0, AT + LEAD_MS)


def test_a_new_version_holds_at_once_beside_the_old_one() -> None:
    record = apply(ChannelRecord(channel="c"), 0, "reshard", shards=4)
    assert [v.version for v in versions_at(record, AT - 1)] == [1]
    assert [(v.version, v.shards) for v in versions_at(record, AT)] == [(1, 1), (2, 4)]


def test_members_come_and_go() -> None:
    record = apply(ChannelRecord(channel="c"), 0, "add_members", members=["ana", "bob"])
    record = apply(record, 1, "add_members", members=["bob", "cy"])
    record = apply(record, 2, "remove_members", members=["ana"])
    assert record.settings.members == ("bob", "cy")


def test_a_command_that_is_read_again_changes_nothing() -> None:
    record = apply(ChannelRecord(channel="c"), 7, "reshard", shards=4)
    assert apply(record, 7, "reshard", shards=4) is record
    later = apply(record, 8000, "reshard", shards=2)
    assert apply(later, 7, "reshard", shards=4) is later


def test_commands_for_others_are_left_to_them() -> None:
    record = ChannelRecord(channel="c")
    assert apply(record, 0, "befriend", user="ana") is record


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("set_channel", {"slow_s": -1}),
        ("set_channel", {"unheard_of": 1}),
        ("set_channel", {"members": "ana"}),
        ("set_channel", {"min_shards": 5, "max_shards": 2}),
        ("reshard", {"shards": 0}),
        ("reshard", {"shards": "4"}),
        ("reshard", {"shards": True}),
        ("add_members", {}),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(TouchlineError) as refused:
        apply(ChannelRecord(channel="c"), 0, name, **arguments)
    assert refused.value.code == "bad_request"


def test_a_record_survives_avro() -> None:
    record = apply(apply(ChannelRecord(channel="c"), 0, "set_channel", blocked=["x"]), 1, "reshard", shards=3)
    codec = Codec("channel")
    assert from_avro(codec.decode(codec.encode(to_avro(record)))) == record
