"""What the fold says of messages that were taken back, for all who show them. Pure.

A record of `touchline.retractions` for each, a function of its event: written again it is the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

from control.entity.writer import partition_of_key
from control.moderation.retractions import retraction_key
from kernel.log.positions import split_lane
from kernel.log.records import Write
from schemas.checks import RETRACT


class Retracting:
    """`topic` is that of the retractions, with its partition count; 0: nothing is written."""

    def __init__(self, topic: tuple[str, int], encode: Callable[[Mapping[str, Any]], bytes]) -> None:
        self._topic, self._partitions = topic
        self._encode = encode

    def writes(self, event: Mapping[str, Any]) -> list[Write]:
        """What is written of an accepted chat event."""
        if event["type"] != RETRACT or not self._partitions:
            return []
        channel, target = split_lane(event["channel"])[0], event["data"]["target"]
        value = self._encode(
            {"channel": channel, "event": target, "seq": event["seq"], "at": event["server_ts"]}
        )
        partition = partition_of_key(channel.encode(), self._partitions)
        return [Write(self._topic, value, retraction_key(channel, target), partition)]
