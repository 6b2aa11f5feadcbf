"""The fold: an ingest partition's records, one after the other, into what is to be written of them. Pure.

Everything that it adds to an event is a function of the record; every decision that rests on state uses
append times and offsets. So a record that is read again, by this worker or the next, comes out the same.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from control.epochs import Epochs
from kernel.errors import TouchlineError
from kernel.positions import Kind, make_id, make_seq
from kernel.records import ORIGIN, Headers, Record, Write, origin_of
from kernel.settings import Auth
from kernel.signing import Signer
from kernel.topics import MAX_RECORD_BYTES, TopicNames
from kernel.users import SENDERS, TYPES, USER, check_post, name_in_channel
from schemas.catalog import Catalog
from schemas.codec import Codec
from schemas.compiled import UNUSUAL
from schemas.ingest import decode_ingest
from schemas.rendering import render
from streams.fold.channels import Channel, Channels
from streams.fold.guards import Paces
from streams.fold.repeats import Repeats

#: Room for the key, headers and framing of a record.
_MAX_BODY: Final = MAX_RECORD_BYTES - 1024
#: Longest sentence in a rejection: some quote what they refuse.
_MAX_MESSAGE: Final = 2000


@dataclass
class Outcome:
    """What came of some records."""

    writes: list[Write] = field(default_factory=list)
    #: Channels of the accepted events, with their counts.
    accepted: Counter[bytes] = field(default_factory=Counter)
    repeated: int = 0
    replaced: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


class AcceptedEvent(NamedTuple):
    """What an accepted event tells of the decision about it."""

    channel: str
    offset: int
    append_ms: int
    key: str | None
    sender: str | None
    origin: bytes | None


@dataclass
class Memory:
    """What the decisions of one partition rest on. It can be built again from touchline.events."""

    repeats: Repeats
    paces: Paces = field(default_factory=Paces)
    #: Decisions about offsets below this one were taken before, by a worker that may be gone …
    decided_until: int = 0
    #: … and these were accepted.
    decided: frozenset[int] = frozenset()


class Judge:
    """The fold of one ingest partition."""

    def __init__(
        self,
        kind: Kind,
        partition: int,
        *,
        names: TopicNames,
        channels: Channels,
        epochs: Epochs,
        memory: Memory,
        catalog: Catalog | None = None,
        signer: Signer | None = None,
    ) -> None:
        self._signer = signer or Signer(Auth())
        self.kind, self.partition = kind, partition
        self.channels, self.memory = channels, memory
        self._epochs = epochs
        self._ingest, self._events = names.ingest[kind], names.events[kind]
        self._fanout, self._rejected = names.fanout(kind), names.rejected
        self._posted, event = Codec(f"ingest-{kind}", catalog), Codec(f"event-{kind}", catalog)
        self._encode_event, self.decode_event = event.encode, event.decode
        self._encode_fanout = _fanout_encoder(Codec("fanout", catalog))
        self._stream = f"{kind}:"
        self._encode_rejection = Codec("rejection", catalog).encode

    def fold(self, records: Iterable[Record]) -> Outcome:
        """Judge these records in their order."""
        outcome = Outcome()
        judge, known, settled = self._judge, self.channels.known, self._epochs.newest_start
        for record in records:
            append_ms = record.append_ms
            try:
                channel = known.get(record.key or b"")
                if channel is None or not channel.since <= append_ms < channel.until:
                    channel = self.channels.find(record.key, append_ms)
                if channel.partition != self.partition and record.offset >= settled:
                    self._put_back(record, channel, outcome)
                else:
                    judge(record, channel, outcome)
            except TouchlineError as error:
                self._reject(record, error, outcome)
        return outcome

    def epoch_of(self, offset: int) -> int:
        """The epoch of the record at this offset."""
        return self._epochs.of(offset)

    def restore(self, past: AcceptedEvent) -> None:
        """Remember an event that was accepted before, as if it had been judged here."""
        channel = self.channels.known.get(past.channel.encode())
        if channel is None or not channel.since <= past.append_ms < channel.until:
            channel = self.channels.find(past.channel.encode(), past.append_ms)
        for key in repeat_keys(past.channel, past.key, past.origin):
            self.memory.repeats.remember(key, past.append_ms, past.offset)
        if channel.guard is not None:
            channel.guard.count(past.sender, past.append_ms, self.memory.paces)

    def _judge(self, record: Record, channel: Channel, outcome: Outcome) -> None:
        offset, append_ms, _, value, headers = record
        memory = self.memory
        event = decode_ingest(self.kind, value or b"", self._posted)
        sender = event["sender"]
        signed = bool(headers) and self._signer.signed(self.kind, channel.name, value or b"", headers)
        keys = repeat_keys(channel.name, event["key"], origin_of(headers) if headers else None)
        try:
            if offset < memory.decided_until:
                if offset not in memory.decided:
                    outcome.repeated += 1
                    return
            else:
                for key in keys:
                    if memory.repeats.seen(key, append_ms, offset):
                        outcome.repeated += 1
                        return
                if not signed:
                    # Asked here first: a call costs as much as all three.
                    if channel.kept or event["type"] in TYPES or (sender and sender.startswith(SENDERS)):
                        check_post(channel.name, sender, event["type"])
                    if channel.guard is not None:
                        channel.guard.check(event, append_ms, memory.paces)
            if sender is None and channel.kept and channel.name.startswith(USER):
                sender = event["sender"] = _owner(channel.name)
            writes = self._accept(record, channel, event)
        except TouchlineError as error:
            self._reject(record, error, outcome, sender=sender, key=event["key"])
            return
        for key in keys:
            memory.repeats.remember(key, append_ms, offset)
        if channel.guard is not None and not signed:
            channel.guard.count(sender, append_ms, memory.paces)
        outcome.writes += writes
        outcome.accepted[channel.key] += 1

    def _accept(self, record: Record, channel: Channel, event: dict[str, Any]) -> list[Write]:
        offset, append_ms, _, _, given = record
        partition = self.partition
        seq = make_seq(self._epochs.of(offset), offset)
        event["channel"] = channel.name
        event["seq"] = seq
        event["id"] = make_id(self.kind, append_ms, partition, offset)
        event["server_ts"] = append_ms
        event["partition"] = partition
        value = self._encode_event(event)
        fanout = self._encode_fanout(self._stream + channel.name, seq, append_ms, render(self.kind, event))
        if len(value) > _MAX_BODY or len(fanout) > _MAX_BODY:
            raise TouchlineError("too_large", "The event is too large once it is made ready for viewers.")
        origin = origin_of(given) if given else None
        headers: Headers | None = [(ORIGIN, origin)] if origin else None
        # Without the class's own constructor, which costs more than all else here.
        new, write, topic = tuple.__new__, Write, self._fanout
        writes = [new(write, (self._events, value, channel.key, partition, append_ms, headers))]
        for key, number in channel.targets:
            writes.append(new(write, (topic, fanout, key, number, append_ms, None)))
        return writes

    def _put_back(self, record: Record, channel: Channel, outcome: Outcome) -> None:
        headers = list(record.headers or ())
        if origin_of(headers) is None:
            headers.append((ORIGIN, f"{self.partition}:{record.offset}".encode()))
        outcome.writes.append(
            Write(self._ingest, record.value, record.key, channel.partition, headers=headers)
        )
        outcome.replaced += 1

    def _reject(
        self,
        record: Record,
        error: TouchlineError,
        outcome: Outcome,
        *,
        sender: str | None = None,
        key: str | None = None,
    ) -> None:
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
            "sender": sender,
            "key": key,
        }
        outcome.writes.append(
            Write(self._rejected, self._encode_rejection(rejection), record.key, -1, record.append_ms)
        )
        outcome.rejected[error.code] += 1


def _fanout_encoder(codec: Codec) -> Callable[[str, int, int, bytes], bytes]:
    """The fields of a fan-out record to its bytes, by way of a dict only where straight code gives way."""
    flat, encode = codec.encode_flat, codec.encode

    def encode_fanout(stream: str, seq: int, server_ts: int, body: bytes) -> bytes:
        if flat is not None:
            try:
                return flat(stream, seq, server_ts, body)
            except UNUSUAL:
                pass
        return encode({"stream": stream, "seq": seq, "server_ts": server_ts, "body": body})

    return encode_fanout


def _owner(channel: str) -> str | None:
    """Whom a channel of a user's own belongs to; None where its name has only a hash of theirs."""
    name = channel.removeprefix(USER)
    return name if name_in_channel(name) == name else None


def repeat_keys(channel: str, key: str | None, origin: bytes | None) -> tuple[str, ...]:
    """The names under which an event is remembered: its key's, and that of the record that was put back.

    A worker that dies after putting a record back does it once more; the second one is a repeat.
    """
    if origin is None:
        return () if key is None else (f"{channel}\0{key}",)
    origins = (f"{channel}\0\0{origin.decode('ascii', 'replace')}",)
    return origins if key is None else (f"{channel}\0{key}", *origins)
