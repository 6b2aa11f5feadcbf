"""The fold: an ingest partition's records, one after the other, into what is to be written of them. Pure.

Everything that it adds to an event is a function of the record; every decision that rests on state uses
append times and offsets. So a record that is read again, by this worker or the next, comes out the same.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from kernel.errors import TouchlineError
from kernel.positions import Kind, make_id, make_seq
from kernel.topics import MAX_RECORD_BYTES, TopicNames
from schemas.codec import Codec
from schemas.ingest import decode_ingest
from schemas.rendering import render
from streams.channels import Channel, Channels
from streams.repeats import Repeats
from streams.transport.batch import Headers, Record

#: Header of a record that was put back from a wrong partition: where it first lay.
ORIGIN: Final = "touchline-origin"
#: Room for the key, headers and framing of a record.
_MAX_BODY: Final = MAX_RECORD_BYTES - 1024
#: Longest sentence in a rejection: some quote what they refuse.
_MAX_MESSAGE: Final = 2000


class Write(NamedTuple):
    """A record to be written."""

    topic: str
    value: bytes | None
    key: bytes | None
    partition: int
    timestamp: int = 0
    headers: Headers | None = None


@dataclass
class Outcome:
    """What came of some records."""

    writes: list[Write] = field(default_factory=list)
    accepted: int = 0
    repeated: int = 0
    replaced: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


class Judge:
    """The fold of one ingest partition, with its state."""

    def __init__(
        self,
        kind: Kind,
        partition: int,
        *,
        names: TopicNames,
        channels: Channels,
        epoch_of: Callable[[int, int], int],
        repeats: Repeats,
    ) -> None:
        self.kind, self.partition = kind, partition
        self.channels, self.repeats = channels, repeats
        self._epoch_of = epoch_of
        self._ingest, self._events = names.ingest[kind], names.events[kind]
        self._fanout, self._rejected = names.fanout(kind), names.rejected
        self._encode_event = Codec(f"event-{kind}").encode
        self._encode_fanout = Codec("fanout").encode
        self._encode_rejection = Codec("rejection").encode

    def fold(self, records: Iterable[Record]) -> Outcome:
        """Judge these records in their order."""
        outcome = Outcome()
        judge, known = self._judge, self.channels.known
        for record in records:
            try:
                channel = known.get(record.key or b"") or self.channels.find(record.key)
                if channel.partition != self.partition:
                    self._put_back(record, channel, outcome)
                else:
                    judge(record, channel, outcome)
            except TouchlineError as error:
                self._reject(record, error, outcome)
        return outcome

    def _judge(self, record: Record, channel: Channel, outcome: Outcome) -> None:
        offset, append_ms = record.offset, record.append_ms
        event = decode_ingest(self.kind, record.value or b"")
        key = event["key"]
        if key is not None:
            key = f"{channel.name}\0{key}"
            if self.repeats.seen(key, append_ms, offset):
                outcome.repeated += 1
                return
        writes = self._accept(record, channel, event)
        if key is not None:
            self.repeats.remember(key, append_ms, offset)
        outcome.writes += writes
        outcome.accepted += 1

    def _accept(self, record: Record, channel: Channel, event: dict[str, Any]) -> list[Write]:
        offset, append_ms, partition = record.offset, record.append_ms, self.partition
        seq = make_seq(self._epoch_of(partition, offset), offset)
        event["channel"] = channel.name
        event["seq"] = seq
        event["id"] = make_id(self.kind, append_ms, partition, offset)
        event["server_ts"] = append_ms
        event["partition"] = partition
        value = self._encode_event(event)
        fanout = self._encode_fanout(
            {
                "stream": f"{self.kind}:{channel.name}",
                "seq": seq,
                "server_ts": append_ms,
                "body": render(self.kind, event),
            }
        )
        if len(value) > _MAX_BODY or len(fanout) > _MAX_BODY:
            raise TouchlineError("too_large", "The event is too large once it is made ready for viewers.")
        writes = [Write(self._events, value, channel.key, partition, append_ms)]
        topic = self._fanout
        writes += [Write(topic, fanout, key, number, append_ms) for key, number in channel.targets]
        return writes

    def _put_back(self, record: Record, channel: Channel, outcome: Outcome) -> None:
        origin = f"{self.partition}:{record.offset}".encode()
        headers = [*(record.headers or ()), (ORIGIN, origin)]
        outcome.writes.append(
            Write(self._ingest, record.value, record.key, channel.partition, headers=headers)
        )
        outcome.replaced += 1

    def _reject(self, record: Record, error: TouchlineError, outcome: Outcome) -> None:
        value = record.value or b""
        rejection = {
            "reason": error.code,
            "message": error.message[:_MAX_MESSAGE],
            "topic": self._ingest,
            "partition": self.partition,
            "offset": record.offset,
            "append_ts": record.append_ms,
            "record_key": record.key,
            "value": value[: _MAX_BODY - 2 * _MAX_MESSAGE - len(record.key or b"")],
        }
        outcome.writes.append(
            Write(self._rejected, self._encode_rejection(rejection), record.key, -1, record.append_ms)
        )
        outcome.rejected[error.code] += 1
