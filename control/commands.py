"""Commands on touchline.control about channels: what each does to a channel's record. Pure."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from control.channels import LEAD_MS, MAX_SHARDS, ChannelRecord, Settings, with_settings, with_shards
from control.resharding import check_reshard
from kernel.errors import TouchlineError
from kernel.positions import MAX_LANES


def apply_command(
    record: ChannelRecord, command: Mapping[str, Any], append_ms: int, *, partition: int, offset: int
) -> ChannelRecord:
    """The record after this command. One that was applied before changes nothing. Raises `bad_request`."""
    done = record.commands.get(str(partition), 0)
    if offset < done:
        return record
    handler = _HANDLERS.get(command["command"])
    if handler is None:
        return record
    try:
        arguments = msgspec.json.decode(command["arguments"], type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise TouchlineError(
            "bad_request", f"The command's arguments are not a JSON object: {error}."
        ) from None
    changed = handler(record, arguments, append_ms)
    if changed is record:
        return record
    return msgspec.structs.replace(changed, commands={**record.commands, str(partition): offset + 1})


def check_command(command: str, arguments: dict[str, Any]) -> None:
    """Raise `bad_request` where a command could not be carried out on any channel."""
    _HANDLERS[command](ChannelRecord(channel="check"), arguments, 0)


def changed_settings(record: ChannelRecord, arguments: dict[str, Any]) -> Settings:
    """The channel's settings with these changes. Raises `bad_request`."""
    try:
        settings = msgspec.convert({**msgspec.structs.asdict(record.settings), **arguments}, Settings)
    except msgspec.ValidationError as error:
        raise TouchlineError("bad_request", f"The channel's settings are not valid: {error}.") from None
    low, high = settings.min_shards or 1, settings.max_shards or MAX_SHARDS
    if not 1 <= low <= high <= MAX_SHARDS:
        raise TouchlineError(
            "bad_request", f"The shard bounds {low} to {high} are not within 1 to {MAX_SHARDS}."
        )
    for name in ("rate_per_s", "slow_s", "max_text"):
        value = getattr(settings, name)
        if value is not None and value <= 0:
            raise TouchlineError("bad_request", f"{name} is {value}: it is above 0, or null.")
    return settings


def _set_channel(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    return with_settings(record, changed_settings(record, arguments), at_ms + LEAD_MS)


def _members(arguments: dict[str, Any]) -> tuple[str, ...]:
    try:
        return msgspec.convert(arguments.get("members"), tuple[str, ...])
    except msgspec.ValidationError as error:
        raise TouchlineError("bad_request", f"members is not a list of names: {error}.") from None


def _add_members(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    members = dict.fromkeys((*record.settings.members, *_members(arguments)))
    return with_settings(
        record, msgspec.structs.replace(record.settings, members=tuple(members)), at_ms + LEAD_MS
    )


def _remove_members(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    gone = set(_members(arguments))
    members = tuple(name for name in record.settings.members if name not in gone)
    return with_settings(record, msgspec.structs.replace(record.settings, members=members), at_ms + LEAD_MS)


def _reshard(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:
    shards = arguments.get("shards")
    if not isinstance(shards, int) or isinstance(shards, bool) or not 1 <= shards <= MAX_SHARDS:
        raise TouchlineError("bad_request", f"shards is {shards!r}: it is a number from 1 to {MAX_SHARDS}.")
    check_reshard(record, shards, at_ms)
    return with_shards(record, shards, at_ms)


def _set_lanes(record: ChannelRecord, arguments: dict[str, Any], at_ms: int) -> ChannelRecord:  # noqa: ARG001
    lanes = arguments.get("lanes")
    if not isinstance(lanes, int) or isinstance(lanes, bool) or not 1 <= lanes <= MAX_LANES:
        raise TouchlineError("bad_request", f"lanes is {lanes!r}: it is a number from 1 to {MAX_LANES}.")
    # They only ever become more: on a lane that is taken away there may be events that nobody has seen.
    if lanes <= record.lanes:
        return record
    return msgspec.structs.replace(record, lanes=lanes, revision=record.revision + 1)


_Handler = Callable[[ChannelRecord, dict[str, Any], int], ChannelRecord]
#: What is not named here is for others on the same topic.
_HANDLERS: Final[Mapping[str, _Handler]] = MappingProxyType(
    {
        "set_channel": _set_channel,
        "add_members": _add_members,
        "remove_members": _remove_members,
        "reshard": _reshard,
        "set_lanes": _set_lanes,
    }
)
