"""What the fold says of a pin, or of its end: a command, which the owner of the channel's record folds. Pure.

The command is a function of its event and names it, and the record keeps the newest: read again after a
crash, and written again, it changes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from control.channels.commands import SET_PINNED
from kernel.log.positions import partition_of, split_lane
from kernel.log.records import Write
from schemas.checks import PIN


class Pinning:
    """`topic` is that of the commands, `partitions` its count as it is now; 0: nothing is written."""

    def __init__(
        self, topic: str, partitions: Callable[[], int], encode: Callable[[Mapping[str, Any]], bytes]
    ) -> None:
        self._topic, self._partitions, self._encode = topic, partitions, encode

    def writes(self, event: Mapping[str, Any]) -> list[Write]:
        """What is written of an accepted `pin` or `unpin`."""
        channel, partitions = split_lane(event["channel"])[0], self._partitions()
        if not partitions:
            return []
        arguments = {"order": event["id"], "target": event["data"]["target"], "on": event["type"] == PIN}
        command = {
            "command": SET_PINNED,
            "id": None,
            "actor": event["sender"],
            "at": event["server_ts"],
            "arguments": msgspec.json.encode({**arguments, "by": event["sender"]}).decode(),
        }
        partition = partition_of(channel, partitions)
        return [Write(self._topic, self._encode(command), channel.encode(), partition)]
