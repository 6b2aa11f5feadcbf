"""Commands on touchline.control, and the times from which what they change holds."""

import json
from typing import Any

import pytest

from control.channels.bounds import SETTINGS
from control.channels.channel import (
    LEAD_MS,
    ChannelRecord,
    Settings,
    from_avro,
    horizon,
    settings_at,
    to_avro,
    versions_at,
)
from control.channels.commands import carry_out
from control.commands.checks import check_change, check_command
from kernel.errors import TouchlineError
from kernel.log.topics import MAX_EVENT_BYTES
from schemas.codec import Codec

AT = 1_767_225_600_000


def command(name: str, **arguments: Any) -> dict[str, Any]:
    return {"command": name, "arguments": json.dumps(arguments)}


def apply(record: ChannelRecord, offset: int, name: str, **arguments: Any) -> ChannelRecord:
    return carry_out(record, command(name, **arguments), AT + offset)


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


def test_commands_for_others_are_left_to_them() -> None:
    record = ChannelRecord(channel="c")
    assert apply(record, 0, "befriend", user="ana") is record


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("set_channel", {"slow_s": -1}),
        ("set_channel", {"rate_per_s": -1}),
        ("set_channel", {"rate_per_s": 0}),
        ("set_channel", {"rate_per_s": True}),
        ("set_channel", {"max_text": 3_000_000_000}),
        ("set_channel", {"max_text": 10**400}),
        ("set_channel", {"max_text": 1_000_001}),
        ("set_channel", {"max_text": 1.5}),
        ("set_channel", {"members_only": 1}),
        ("set_channel", {"blocked": ["x" * 101]}),
        ("set_channel", {"blocked": [""]}),
        ("set_channel", {"blocked": ["x"] * 1001}),
        ("set_channel", {"readers": [1]}),
        ("set_channel", {"publishers": ["x" * 100] * 5000}),
        ("set_channel", {"retention": "no such class!"}),
        ("set_channel", {"max_shards": 257}),
        ("set_channel", {"members": [[["ana"]]]}),
        ("set_lanes", {"lanes": 65}),
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


@pytest.mark.parametrize(
    "arguments",
    [
        '{"members":' + "[" * 1500 + "]" * 1500 + "}",
        '{"slow_s":1e999}',
        '{"slow_s":NaN}',
        '{"members":["\\ud800"]}',
        '{"members":["' + "x" * 200_000 + '"]}',
        "[]",
        "",
    ],
    ids=["deep", "infinite", "no number", "half a character", "long", "no object", "nothing"],
)
def test_arguments_that_are_none_are_refused_and_end_nothing(arguments: str) -> None:
    with pytest.raises(TouchlineError) as refused:
        carry_out(ChannelRecord(channel="c"), {"command": "set_channel", "arguments": arguments}, AT)
    assert refused.value.code == "bad_request"


def test_a_channel_has_lanes_or_numbers() -> None:
    spread = apply(ChannelRecord(channel="c"), 0, "set_lanes", lanes=4)
    with pytest.raises(TouchlineError, match=r"c has 4 lanes, .* cannot be numbered") as refused:
        apply(spread, 1, "set_channel", numbered=True)
    assert refused.value.code == "bad_request"
    with pytest.raises(TouchlineError, match="cannot be numbered"):
        check_change(spread, "set_channel", {"numbered": True}, AT)
    numbered = apply(ChannelRecord(channel="c"), 0, "set_channel", numbered=True)
    for last in (numbered, apply(numbered, LEAD_MS, "set_channel", numbered=None)):
        with pytest.raises(TouchlineError, match="c can have no lanes: it is numbered"):
            carry_out(last, command("set_lanes", lanes=2), AT + LEAD_MS)
    over = apply(numbered, 1, "set_channel", numbered=False)
    assert carry_out(over, command("set_lanes", lanes=2), AT + 2 * LEAD_MS).lanes == 2


def test_null_takes_any_setting_back() -> None:
    given: dict[str, Any] = {
        "members_only": True,
        "members": ["ana"],
        "rate_per_s": 5,
        "rate_binds_producers": True,
        "max_text": 100,
        "blocked": ["x"],
        "min_shards": 2,
        "max_shards": 4,
        "publishers": ["ana"],
        "readers": ["ana"],
        "slow_s": 1.5,
        "retention": "day",
        "numbered": True,
        "feed": ["goal"],
        "reactions": ["👍"],
        "counters": True,
        "language": "spanish",
    }
    assert given.keys() == SETTINGS.keys() == set(Settings.__struct_fields__)
    record = apply(ChannelRecord(channel="c"), 0, "set_channel", **given)
    for number, name in enumerate(given, 1):
        assert getattr(record.settings, name) != getattr(Settings(), name), name
        record = apply(record, number, "set_channel", **{name: None})
        assert getattr(record.settings, name) == getattr(Settings(), name), name


@pytest.mark.parametrize(
    ("about", "name", "arguments"),
    [
        ("final~0", "set_channel", {"slow_s": 1}),
        ("not a channel", "set_channel", {"slow_s": 1}),
        ("user-ana", "set_lanes", {"lanes": 2}),
        ("final", "befriend", {}),
        ("revoke:", "revoke", {"before": 1}),
        ("ana", "revoke", {"before": 1}),
        ("revoke:ana", "revoke", {"before": float("nan")}),
        ("revoke:ana", "revoke", {"before": "yesterday"}),
        ("revoke:" + "x" * 129, "revoke", {"before": 1}),
    ],
)
def test_a_command_that_nobody_could_carry_out_is_not_given(
    about: str, name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(TouchlineError) as refused:
        check_command(about, name, arguments)
    assert refused.value.code == "bad_request"


def test_what_can_be_carried_out_is_written_as_it_was_given() -> None:
    assert json.loads(check_command("final", "set_channel", {"slow_s": 2})) == {"slow_s": 2}
    assert json.loads(check_command("revoke:ana b", "revoke", {"before": 1.5})) == {"before": 1.5}


def test_a_command_about_a_lane_does_not_change_its_channel() -> None:
    said = command("set_channel", slow_s=5)
    with pytest.raises(TouchlineError, match="is a lane"):
        carry_out(ChannelRecord(channel="c"), said, AT, about="c~1")


def test_a_record_with_all_that_may_be_set_and_was_set_before_fits() -> None:
    record = ChannelRecord(channel="c")
    for number in range(20):
        names = [f"{number:02}{name:03}" + "x" * 95 for name in range(600)]
        record = apply(record, number, "set_channel", members=names)
    assert len(Codec("channel").encode(to_avro(record))) < MAX_EVENT_BYTES


def test_a_record_survives_avro() -> None:
    record = apply(apply(ChannelRecord(channel="c"), 0, "set_channel", blocked=["x"]), 1, "reshard", shards=3)
    codec = Codec("channel")
    assert from_avro(codec.decode(codec.encode(to_avro(record)))) == record
