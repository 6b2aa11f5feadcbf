"""What the fold says of events to the fold of reactions: a poll has begun, a message was taken back. Pure.

A signed record of `touchline.reactions` for each, a function of its event: written again it changes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from control.crowd.polls import OPENED, read_extra
from control.crowd.reactions import POLL, RETRACT, made, signed_headers
from control.entity.writer import partition_of_key
from kernel.access.signing import Signer
from kernel.log.positions import Kind, Stream, split_lane
from kernel.log.records import Write
from streams.fold.outputs.retractions import taken_back_by


class Crowding:
    """`topic` is that of the reactions, with its partition count; 0: nothing is written."""

    def __init__(
        self, topic: tuple[str, int], encode: Callable[[Mapping[str, Any]], bytes], signer: Signer
    ) -> None:
        self._topic, self._partitions = topic
        self._encode, self._signer = encode, signer

    def writes(self, kind: Kind, event: Mapping[str, Any]) -> list[Write]:
        """What is written of an accepted event, if it is of one of these types."""
        if not self._partitions:
            return []
        stream = Stream(kind, split_lane(event["channel"])[0])
        if event["type"] == OPENED:
            extra = read_extra(kind, event["data"])
            said = made(stream, POLL, target=event["id"], user=event["sender"], extra=extra)
        elif (target := taken_back_by(kind, event)) is not None:
            said = made(stream, RETRACT, target=target)
        else:
            return []
        value, key = self._encode(said), stream.channel.encode()
        headers = signed_headers(self._signer, stream.channel, value)
        partition = partition_of_key(key, self._partitions)
        return [Write(self._topic, value, key, partition, headers=headers)]
