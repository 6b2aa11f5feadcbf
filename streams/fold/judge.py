"""The fold: an ingest partition's records, one after the other, into what is to be written of them. Pure.

Everything that it adds to an event is a function of the record; every decision that rests on state uses
append times and offsets. So a record that is read again, by this worker or the next, comes out the same.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from control.channels.epochs import Epochs
from control.commands.asker import Asker, asker_of
from control.counts import Count
from control.crowd.polls import OPENED
from kernel.access.signing import Signer
from kernel.access.users import SENDERS, TYPES, USER, check_post, name_in_channel
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, make_id, make_seq, split_lane
from kernel.log.records import ORIGIN, VIA, Headers, Record, Write
from kernel.log.topics import MAX_RECORD_BYTES, TopicNames
from kernel.process.tracing import TRACEPARENT, traced
from kernel.settings.reading import Auth
from schemas.catalog import Catalog
from schemas.checks import CHANGES, PINS, RETRACT
from schemas.codec import Codec
from schemas.ingest import DEFAULT_TYPE, read_ingest
from schemas.rejections import FAULTS, Rejections, unexpected
from schemas.rendering import render
from streams.crowd.channel_counters import Heard
from streams.fold.channels import Channel, Channels
from streams.fold.checks.moves import move_of
from streams.fold.checks.pins import check_pin
from streams.fold.checks.replying import check_reply
from streams.fold.checks.rooms import Decided, RoomsFold, Unchanged
from streams.fold.memory import AcceptedEvent, Memory, Outcome
from streams.fold.outputs.answering import Answering
from streams.fold.outputs.attaching import Attaching, concerns
from streams.fold.outputs.auditing import Auditing
from streams.fold.outputs.crowding import Crowding
from streams.fold.outputs.encoding import event_encoder, fanout_encoder
from streams.fold.outputs.pinning import Pinning
from streams.fold.outputs.retractions import Retracting, taken_back_by
from streams.fold.outputs.tallies import TalliesFold

#: Room for the key, headers and framing of a record.
_MAX_BODY: Final = MAX_RECORD_BYTES - 1024
#: All fan-out records of one event together: what a channel of many shards may cost.
MAX_FANOUT_BYTES: Final = 64 * 1024 * 1024
#: Types of events of which the fold of reactions hears.
_FOR_CROWDS: Final = frozenset({OPENED, RETRACT})
_ORIGIN: Final = re.compile(rb"(?:retry:)?[0-9]{1,6}:[0-9]{1,19}").fullmatch


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
        answers: int = 0,
        attachments: int = 0,
        retractions: int = 0,
        reactions: int = 0,
        signer: Signer | None = None,
        traces: bool = False,
        auditing: Auditing | None = None,
        pinning: Pinning | None = None,
        rooms: RoomsFold | None = None,
        tallies: TalliesFold | None = None,
    ) -> None:
        """`answers` is the partition count of the topic of answers, `attachments` that of the marks of
        attachments, `retractions` that of what was taken back, `reactions` that of what crowds do; 0: nobody
        is told anything."""
        self._rooms, self._tallies, self._traces = rooms, tallies, traces
        self._signer, self._auditing, self._pinning = signer or Signer(Auth()), auditing, pinning
        self.kind, self.partition = kind, partition
        self.channels, self.memory = channels, memory
        self._epochs = epochs
        self._ingest, self._events = names.ingest[kind], names.events[kind]
        self._fanout = names.fanout(kind)
        self._posted, event = Codec(f"ingest-{kind}", catalog), Codec(f"event-{kind}", catalog)
        self._encode_numbered, self.decode_event = event.encode, event.decode
        # As it was before there were numbers: roles that are not upgraded yet read it, too.
        self._encode_event = event_encoder(Codec(f"event-{kind}", catalog, version=1), self._posted)
        self._encode_fanout = fanout_encoder(Codec("fanout", catalog))
        self._stream, self._is_chat = f"{kind}:", kind is Kind.CHAT
        self._usual_type = DEFAULT_TYPE.get(kind)
        self._is_location = kind is Kind.LOCATION
        self._rejections = Rejections(names.rejected, catalog)
        encode_answer = Codec("answer", catalog).encode
        self._attaching = Attaching((names.attachments, attachments), Codec("attachment", catalog).encode)
        encode_retraction = Codec("retraction", catalog).encode
        self._retracting = Retracting((names.retractions, retractions), encode_retraction)
        encode_reaction = Codec("reaction", catalog).encode
        self._crowding = Crowding((names.reactions, reactions), encode_reaction, self._signer)
        self._answers = Answering(kind, partition, epochs, (names.answers, answers), encode_answer)

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
            except FAULTS:
                raise
            except Exception as error:
                self._reject(record, unexpected(error, "record"), outcome)
        if self._tallies is not None:
            outcome.writes += self._tallies.writes()
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
            channel.guard.count(past.sender, past.append_ms, self.memory.paces, changes=past.changes)
        if past.move is not None:
            self.memory.moves.note(past.channel, past.move)
        if past.shared is not None:
            self.memory.shares.count(self.kind, past.channel, past.sender, past.shared, past.append_ms)

    # Asked for each event: a call costs as much as some of its branches.
    def _judge(self, record: Record, channel: Channel, outcome: Outcome) -> None:  # noqa: PLR0912, PLR0915
        offset, append_ms, _, value, headers = record
        memory, plain = self.memory, channel.plain
        event, as_it_is = read_ingest(self.kind, value or b"", self._posted)
        sender, type_ = event["sender"], event["type"]
        # Nearly all are: there is nothing about them that more than one event in a hundred has.
        usual = type_ == self._usual_type and event["data"]["extra"] is None
        shared = signed = False
        origin = asker = decided = None
        if headers:
            shared, origin, asker = came_by_a_door(headers), origin_of(headers), asker_of(headers)
            signed = self._signer.signed(self.kind, channel.name, value or b"", headers)
        keys = repeat_keys(channel.name, event["key"], origin)
        by_user, fresh = not signed or type_ == OPENED, offset >= memory.decided_until
        try:
            if self._counts_already(offset, append_ms, keys):
                outcome.repeated += 1
                if asker is not None:
                    outcome.writes += self._what_counts(asker, record, channel, event, keys)
                return
            if fresh and not usual and self._is_chat:
                check_reply(event, append_ms)
                check_pin(event, headers, by_a_user=shared)
            if fresh and by_user:
                # Asked here first: a call costs as much as all three.
                if not signed and (
                    channel.kept or (not usual and type_ in TYPES) or (sender and sender.startswith(SENDERS))
                ):
                    check_post(channel.name, sender, type_)
                if channel.guard is not None:
                    channel.guard.check(event, append_ms, memory.paces, headers)
                if channel.kept and self._is_location:
                    memory.moves.check(channel.name, move_of(event, append_ms))
            if not plain:
                decided = self._judge_room(record, channel, event) if channel.room else None
                if sender is None and channel.kept and channel.name.startswith(USER):
                    sender = event["sender"] = _owner(channel.name)
            writes = self._accept(record, channel, event, shared=shared, as_it_is=as_it_is and plain)
            size = len(writes[0].value or b"") if shared else 0
            if shared and fresh:
                memory.shares.check(self.kind, channel.name, sender, size, append_ms)
        except FAULTS:
            raise
        except Unchanged as nothing:
            outcome.repeated += 1
            if asker is not None:
                outcome.writes += self._answers.accepted(asker, nothing.seq, "")
            return
        except Exception as error:
            known = error if isinstance(error, TouchlineError) else unexpected(error, "record")
            self._reject(record, known, outcome, sender=sender, key=event["key"])
            return
        for key in keys:
            memory.repeats.remember(key, append_ms, offset)
        if shared:
            memory.shares.count(self.kind, channel.name, sender, size, append_ms)
        if (n := event["n"]) is not None:
            memory.counts.put(channel.name, self._count(channel.name).after(n, event["seq"]), offset)
        outcome.writes += writes
        if not plain:
            if channel.guard is not None and (by_user or channel.room):
                channel.guard.count(sender, append_ms, memory.paces, changes=type_ in CHANGES)
            if channel.kept and self._is_location:
                outcome.moved.append(memory.moves.take(channel.name, event, append_ms, offset))
            if decided is not None and self._rooms is not None:
                outcome.writes += self._rooms.writes(channel.name, decided)
            if channel.tallied and self._tallies is not None:
                self._tallies.note(event, headers, None if decided is None else decided.room)
            if channel.counted and type_ not in CHANGES:
                outcome.said.append(self._heard(event, append_ms, offset))
        if not usual:
            if self._is_chat and concerns(event):
                outcome.writes += self._attaching.writes(event)
            if self._is_chat and type_ in CHANGES:
                if self._auditing is not None:
                    outcome.writes += self._auditing.change(event, headers)
                if type_ in PINS and self._pinning is not None:
                    outcome.writes += self._pinning.writes(event)
            if type_ in _FOR_CROWDS:
                outcome.writes += self._retracting.writes(self.kind, event)
                outcome.writes += self._crowding.writes(self.kind, event)
        outcome.accepted[channel.key] += 1
        if asker is not None:
            outcome.writes += self._answers.accepted(asker, event["seq"], event["id"])

    def _heard(self, event: dict[str, Any], append_ms: int, offset: int) -> Heard:
        source = f"{self._epochs.of(offset)}-{self.partition}"
        channel = split_lane(event["channel"])[0]
        return Heard(channel, event["sender"], event["data"]["text"], append_ms, source, offset)

    def _judge_room(self, record: Record, channel: Channel, event: dict[str, Any]) -> Decided | None:
        """Doors sign for their users what goes into rooms: that they may write there, the room decides."""
        settled = record.offset < self.memory.decided_until
        if self._rooms is None:
            if settled:
                return None
            raise TouchlineError("not_found", f"There is no stream {self.kind}:{channel.name}.")
        seq = make_seq(self._epochs.of(record.offset), record.offset)
        decided = self._rooms.judge(event, channel.name, seq, record.append_ms, settled=settled)
        if decided is None and not settled and channel.guard is not None:
            channel.guard.check(event, record.append_ms, self.memory.paces, record.headers)
        return decided

    def _counts_already(self, offset: int, append_ms: int, keys: tuple[str, ...]) -> bool:
        """Whether a record is none of those that become events: a repeat, or refused by a worker before."""
        memory = self.memory
        if offset < memory.decided_until:
            return offset not in memory.decided
        for key in keys:  # noqa: SIM110 - a generator would cost as much as all of it
            if memory.repeats.seen(key, append_ms, offset):
                return True
        return False

    def _accept(
        self, record: Record, channel: Channel, event: dict[str, Any], *, shared: bool, as_it_is: bool
    ) -> list[Write]:
        offset, append_ms, _, posted, given = record
        partition = self.partition
        seq = make_seq(self._epochs.of(offset), offset)
        event["channel"] = channel.name
        event["seq"] = seq
        event["id"] = make_id(self.kind, append_ms, partition, offset)
        event["server_ts"] = append_ms
        event["partition"] = partition
        n = event["n"] = None
        if channel.numbered or offset < self.memory.decided_until:
            n = event["n"] = self._number(offset, channel, event["type"])
            event.setdefault("members_at", None)
        if n is not None or channel.room:
            value = self._encode_numbered(event)
        else:
            value = self._encode_event(event, posted if as_it_is else None)
        about = event["data"]["target"] if self._is_chat else taken_back_by(self.kind, event)
        body = event["body"] = render(self.kind, event)
        fanout = self._encode_fanout(
            self._stream + channel.name, seq, append_ms, event["type"], event["sender"], n, about, body
        )
        if len(value) > _MAX_BODY or len(fanout) > _MAX_BODY:
            raise TouchlineError("too_large", "The event is too large once it is made ready for viewers.")
        if len(fanout) * len(channel.targets) > MAX_FANOUT_BYTES:
            raise TouchlineError(
                "too_large",
                f"The event is too large for the {len(channel.targets)} shards of this channel: all of them"
                f" together get at most {MAX_FANOUT_BYTES:,} bytes of an event.",
            )
        origin = origin_of(given) if given else None
        headers: Headers | None = [(ORIGIN, origin)] if origin else None
        if shared:
            headers = [*(headers or ()), (VIA, b"")]
        told: Headers | None = None
        if self._traces and given and (trace := traced(given)) is not None:
            told = [(TRACEPARENT, trace)]
            headers = [*(headers or ()), *told]
        # Without the class's own constructor, which costs more than all else here.
        new, write, topic = tuple.__new__, Write, self._fanout
        writes = [new(write, (self._events, value, channel.key, partition, append_ms, headers))]
        for key, number in channel.targets:
            writes.append(new(write, (topic, fanout, key, number, append_ms, told)))
        return writes

    def _number(self, offset: int, channel: Channel, type_: str) -> int | None:
        """The event's number in its stream: the next one. A change of an earlier event, or of the room, has
        none: nobody has to read it."""
        if offset < self.memory.decided_until:
            return self.memory.numbers.get(offset)
        if self._is_chat and (type_ in CHANGES or (channel.room and type_ in TYPES)):
            return None
        return self._count(channel.name).n + 1

    def _count(self, channel: str) -> Count:
        return self.memory.counts.get(channel) or Count(self._stream + channel)

    def _put_back(self, record: Record, channel: Channel, outcome: Outcome) -> None:
        headers = [header for header in record.headers or () if header[0] != ORIGIN]
        origin = origin_of(record.headers) or f"{self.partition}:{record.offset}".encode()
        headers.append((ORIGIN, origin))
        if len(record.value or b"") + sum(len(n) + len(v or b"") + 16 for n, v in headers) > _MAX_BODY:
            raise TouchlineError("too_large", "The record is too large to be put into its own partition.")
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
        outcome.writes.append(
            self._rejections.write(self._ingest, self.partition, record, error, sender=sender, key=key)
        )
        outcome.rejected[error.code] += 1
        if record.headers and (asker := asker_of(record.headers)) is not None:
            outcome.writes += self._answers.refused(asker, error)

    def _what_counts(
        self, asker: Asker, record: Record, channel: Channel, event: dict[str, Any], keys: tuple[str, ...]
    ) -> list[Write]:
        """The answer about a record that is no event: which one it repeats. Or a worker that is gone refused
        it, and may not have told why."""
        answer = self._answers.repeat(asker, record, keys, self.memory.repeats)
        if answer or channel.room:  # of a room nobody knows any more what it was like before that
            return answer
        try:
            check_post(channel.name, event["sender"], event["type"])
            if channel.guard is not None:
                channel.guard.check(event, record.append_ms, self.memory.paces, record.headers)
        except TouchlineError as error:
            return self._answers.refused(asker, error)
        return []


def _owner(channel: str) -> str | None:
    """Whom a channel of a user's own belongs to; None where its name has only a hash of theirs."""
    name = channel.removeprefix(USER)
    return name if name_in_channel(name) == name else None


def origin_of(headers: Headers | None) -> bytes | None:
    """Where a record that was put back first lay. What no worker would have written does not count."""
    for name, value in headers or ():
        if name == ORIGIN and isinstance(value, bytes) and _ORIGIN(value):
            return value
    return None


def came_by_a_door(headers: Headers | None) -> bool:
    """Whether an edge or gateway wrote the record for one of its users."""
    return any(name == VIA for name, _ in headers or ())


def repeat_keys(channel: str, key: str | None, origin: bytes | None) -> tuple[str, ...]:
    """The names under which an event is remembered: its key's, and that of the record that was put back.

    A worker that dies after putting a record back does it once more; the second one is a repeat.
    """
    if origin is None:
        return () if key is None else (f"{channel}\0{key}",)
    origins = (f"{channel}\0\0{origin.decode('ascii', 'replace')}",)
    return origins if key is None else (f"{channel}\0{key}", *origins)
