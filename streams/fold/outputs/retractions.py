"""What the fold says of messages and broadcasts that were taken back, for all who show them. Pure.

A record of `touchline.retractions` for each, a function of its event: written again it is the same.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from control.entity.writer import partition_of_key
from control.moderation.retractions import retraction_key
from kernel.log.positions import Kind, kind_of_id, split_lane
from kernel.log.records import Write
from schemas.checks import RETRACT, is_id


class _About(msgspec.Struct):
    target: Any = None


_about: Final = msgspec.json.Decoder(_About).decode


def taken_back_by(kind: Kind, event: Mapping[str, Any]) -> str | None:
    """The id of what an event takes back; None where it takes nothing back. A broadcast that names no
    broadcast's id says what its channel means by it, and nothing to the log."""
    if event["type"] != RETRACT or kind is Kind.LOCATION:
        return None
    target = event["data"]["target"] if kind is Kind.CHAT else _about(event["data"]["json"]).target
    if kind is Kind.BROADCAST and not (is_id(target) and kind_of_id(target) is kind):
        return None
    return str(target)


class Retracting:
    """`topic` is that of the retractions, with its partition count; 0: nothing is written."""

    def __init__(self, topic: tuple[str, int], encode: Callable[[Mapping[str, Any]], bytes]) -> None:
        self._topic, self._partitions = topic
        self._encode = encode

    def writes(self, kind: Kind, event: Mapping[str, Any]) -> list[Write]:
        """What is written of an accepted event."""
        target = taken_back_by(kind, event) if self._partitions else None
        if target is None:
            return []
        channel = split_lane(event["channel"])[0]
        value = self._encode(
            {"channel": channel, "event": target, "seq": event["seq"], "at": event["server_ts"]}
        )
        partition = partition_of_key(channel.encode(), self._partitions)
        return [Write(self._topic, value, retraction_key(channel, target), partition)]
