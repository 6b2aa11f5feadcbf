"""What the fold says of attachments: which message has them, and which was taken back. Pure.

Records of `touchline.attachments`, each a function of its event: written again they are the same.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from control.attachments.references import Mark, names_key, posted_key, retracted_key
from control.entity.writer import partition_of_key
from kernel.log.positions import Kind, split_lane
from kernel.log.records import Write
from schemas.checks import RETRACT


class _Extra(msgspec.Struct):
    attachments: list[str] = []


_extra: Final = msgspec.json.Decoder(_Extra).decode


class Attaching:
    """`topic` is that of the marks, with its partition count; 0: nothing is written."""

    def __init__(self, topic: tuple[str, int], encode: Callable[[Mapping[str, Any]], bytes]) -> None:
        self._topic, self._partitions = topic
        self._encode = encode

    def writes(self, event: Mapping[str, Any]) -> list[Write]:
        """What is written of an accepted chat event."""
        data, id_ = event["data"], event["id"]
        if not self._partitions:
            return []
        stream = f"{Kind.CHAT}:{split_lane(event['channel'])[0]}"
        target = data["target"]
        if event["type"] == RETRACT:
            mark = self._mark(event, stream, "retracted")
            return [self._write(retracted_key(target, stream), mark)]
        attached = _extra(data["extra"]).attachments
        mark = self._mark(event, stream, "posted")
        keys = (key for one in attached for key in (posted_key(one, id_), names_key(target or id_, one)))
        return [self._write(key, mark) for key in keys]

    def _mark(self, event: Mapping[str, Any], stream: str, what: str) -> bytes:
        mark = Mark(
            what=what,
            stream=stream,
            seq=event["seq"],
            event=event["id"],
            target=event["data"]["target"],
            user=event["sender"],
            members_at=event.get("members_at") or 0,
            at=event["server_ts"],
        )
        return self._encode(msgspec.structs.asdict(mark))

    def _write(self, key: bytes, mark: bytes) -> Write:
        return Write(self._topic, mark, key, partition_of_key(key, self._partitions))


def concerns(event: Mapping[str, Any]) -> bool:
    """Whether an accepted chat event is one of those: asked for each, so it is cheap."""
    extra = event["data"]["extra"]
    # A key may be written with escapes, too.
    return (extra is not None and ("attachments" in extra or "\\u" in extra)) or event["type"] == RETRACT
