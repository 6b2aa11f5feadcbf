"""Commands about a channel: what each does to its record, and whether it can be done. Pure.

Apart from those about users and other things (control/commands/checks.py), so that a producer, which may be
installed without what servers need, can check its own.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from control.channels.bounds import (
    MAX_ARGUMENTS_BYTES,
    MAX_SETTINGS_BYTES,
    MAX_SHARDS,
    Number,
    check_settings,
    shortly,
)
from control.channels.bounds import SETTINGS as RULES
from control.channels.channel import (
    LEAD_MS,
    ChannelRecord,
    Pinned,
    Settings,
    settings_at,
    with_pinned,
    with_settings,
    with_shards,
)
from control.channels.reshard_limits import check_reshard
from kernel.access.users import KEPT, MAX_USER
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_LANES, is_channel, split_lane
from schemas.checks import is_id

#: What the fold says of an event that pins a message, or unpins it.
SET_PINNED: Final = "set_pinned"
_DEFAULTS: Final = msgspec.structs.asdict(Settings())


def carry_out(
    record: ChannelRecord, command: Mapping[str, Any], append_ms: int, *, about: str | None = None
) -> ChannelRecord:
    """The record after this command; the same one where it changes nothing. Raises `bad_request`.

    `about` is the command's key, where that may be another name than the channel's.
    """
    handler = _HANDLERS.get(command["command"])
    if handler is None:
        return record
    check_channel(record.channel if about is None else about)
    return handler(record, read_arguments(command["arguments"]), append_ms)


def check_about_channel(about: str, command: str, arguments: Mapping[str, Any]) -> None:
    """Raise `bad_request` where one of these commands can be carried out on no record of such a channel."""
    check_channel(about)
    _HANDLERS[command](ChannelRecord(channel=about), dict(arguments), 0)


def check_channel(name: str) -> None:
    """Raise `bad_request` where nothing can be set for a channel of this name."""
    if not is_channel(name):
        raise _bad(f"{name[:150]!r} is not a channel's name: 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -")
    base, lane = split_lane(name)
    if lane is not None:
        raise _bad(f"{name} is a lane: what is set for {base} binds its lanes.")


def read_arguments(text: str | bytes) -> dict[str, Any]:
    """A command's arguments. Raises `bad_request`."""
    if len(text) > MAX_ARGUMENTS_BYTES:
        raise _bad(f"The command's arguments have more than {MAX_ARGUMENTS_BYTES:,} bytes.")
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise _bad(f"The command's arguments are not a JSON object: {error}.") from None


def changed_settings(record: ChannelRecord, arguments: Mapping[str, Any]) -> Settings:
    """The channel's settings with these changes; null takes one back to its default. Raises `bad_request`."""
    check_settings(arguments)
    wanted = {name: _DEFAULTS[name] if value is None else value for name, value in arguments.items()}
    return _checked(msgspec.convert({**msgspec.structs.asdict(record.settings), **wanted}, Settings))


def _checked(settings: Settings) -> Settings:
    """What the settings have to be together."""
    low, high = settings.min_shards or 1, settings.max_shards or MAX_SHARDS
    if low > high:
        raise _bad(f"min_shards is {low}, and max_shards {high}: it is not less.")
    size = len(msgspec.json.encode(settings))
    if size > MAX_SETTINGS_BYTES:
        raise _bad(
            f"All settings of the channel together would have {size:,} bytes; at most {MAX_SETTINGS_BYTES:,}"
            " are kept: name fewer members, publishers, readers or blocked words."
        )
    return settings


def _set_channel(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    settings = changed_settings(record, arguments)
    if settings.numbered and record.lanes:
        raise _bad(
            f"{record.channel} has {record.lanes} lanes, which have no one order: it cannot be numbered."
        )
    return with_settings(record, settings, at_ms + LEAD_MS)


def _members(arguments: dict[str, Any]) -> list[str]:
    members = arguments.get("members")
    if fault := RULES["members"].fault(members):
        raise _bad(f"members is {shortly(members)}: {fault}.")
    return list(members or ())


def _with_members(record: ChannelRecord, members: list[str], at_ms: int) -> ChannelRecord:
    settings = changed_settings(record, {"members": members})
    return with_settings(record, settings, at_ms + LEAD_MS)


def _add_members(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    members = dict.fromkeys((*record.settings.members, *_members(arguments)))
    return _with_members(record, list(members), at_ms)


def _remove_members(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    gone = set(_members(arguments))
    return _with_members(record, [name for name in record.settings.members if name not in gone], at_ms)


def _whole(arguments: Mapping[str, Any], name: str, most: int) -> int:
    value = arguments.get(name)
    if fault := Number(1, most, whole=True).fault(value):
        raise _bad(f"{name} is {shortly(value)}: {fault}.")
    return int(value or 0)


def _reshard(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    shards = _whole(arguments, "shards", MAX_SHARDS)
    check_reshard(record, shards, at_ms)
    return with_shards(record, shards, at_ms)


def _set_lanes(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    lanes = _whole(arguments, "lanes", MAX_LANES)
    if record.channel.startswith(KEPT):
        raise _bad(f"{record.channel} can have no lanes: its name is one that is kept for the system.")
    if record.settings.numbered or settings_at(record, at_ms).numbered:
        raise _bad(
            f"{record.channel} can have no lanes: it is numbered, and lanes have no one order to count."
        )
    # They only ever become more: on a lane that is taken away there may be events that nobody has seen.
    if lanes <= record.lanes:
        return record
    return msgspec.structs.replace(record, lanes=lanes, revision=record.revision + 1)


def _set_pinned(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    order, target, on, by = (arguments.get(name) for name in ("order", "target", "on", "by"))
    if not (isinstance(order, str) and isinstance(target, str) and is_id(order) and is_id(target)):
        raise _bad("order and target are the ids of events, strings of digits.")
    if not isinstance(on, bool) or not (by is None or (isinstance(by, str) and len(by) <= MAX_USER)):
        raise _bad("on is true or false, and by a user or null.")
    return with_pinned(record, Pinned(order, target, by, at_ms), on=on)


def _bad(sentence: str) -> TouchlineError:
    return TouchlineError("bad_request", sentence)


_Handler = Callable[[ChannelRecord, dict[str, Any], int], ChannelRecord]
#: What is not named here is for others on the same topic.
_HANDLERS: Final[Mapping[str, _Handler]] = MappingProxyType(
    {
        "set_channel": _set_channel,
        "add_members": _add_members,
        "remove_members": _remove_members,
        "reshard": _reshard,
        "set_lanes": _set_lanes,
        SET_PINNED: _set_pinned,
    }
)
#: The names of all of them.
COMMANDS: Final = frozenset(_HANDLERS)
