"""What a worker owns of crowds: folds by partition, and what is written of them, a few times a second.

Of a partition all totals that have changed are written, then how far it is folded: whoever finds that in its
table has all totals up to there. The same holds of voices. Offsets are committed behind both.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NoReturn

import msgspec

from control.crowd import polls
from control.crowd.crowd import Crowd
from control.crowd.reactions import CLOSE, made, signed_headers
from control.crowd.totals import FOLDED, KEYS, Total, Voices, folded_key, part_key, parts_of
from control.entity.fold import Written
from control.entity.known import Known
from control.entity.owner import Owner
from control.entity.tables import Tables
from control.entity.types import AnyType, Stamp
from control.entity.view import View
from control.entity.writer import partition_of_key
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.log.positions import Kind, Stream, partition_of
from kernel.log.records import Partition, Record, Write
from kernel.log.topics import TopicNames
from kernel.process.metrics import REACTIONS, REJECTED
from kernel.settings.reading import Settings
from schemas.registry import catalog_for, codec_for
from schemas.rejections import Rejections
from streams.crowd.channel_counters import ChannelCounters
from streams.crowd.fold import CrowdFold, Kept, Surroundings
from streams.crowd.poll_deadlines import Ends
from streams.crowd.targets import Slot
from streams.crowd.voters import PartWrite
from streams.fold.outputs.answering import Answers
from streams.owned.members import written_again
from streams.upkeep.crowd_sweep import CrowdSweep

#: How often what has changed is written; and of its time at most this part is spent on it.
_EVERY_S: Final = 0.2
_SHARE: Final = 0.1
#: Slots that are written before others have their turn.
_AT_ONCE: Final = 200
_AGAIN_S: Final = 10.0


class _Part:
    """One partition: its fold, how far it is, and what has been written of that."""

    __slots__ = ("fold", "folded", "told")

    def __init__(self, fold: CrowdFold, folded: int) -> None:
        self.fold, self.folded, self.told = fold, folded, folded


class CrowdOwner:
    """Reactions and polls of the partitions that this worker has."""

    def __init__(
        self,
        settings: Settings,
        names: TopicNames,
        tables: Tables,
        crowd: Crowd,
        *,
        clock: Clock,
        channel: Callable[[str], Any],
        sanctions: Callable[[str], Any],
        partitions: Callable[[], Mapping[str, int]],
        owns: Callable[[str], bool],
        viewers: Callable[[str], int],
        write: Callable[[list[Write]], None],
    ) -> None:
        """`channel` and `sanctions` say what is set and decided of a channel; `partitions` of topics. For
        counters: `owns` whether this worker tells of a channel, `viewers` how many watch a stream. `write` is
        for what no record caused."""
        self.counters = ChannelCounters(
            *(settings, names, tables, crowd), clock=clock, owns=owns, viewers=viewers
        )
        self._settings, self._names, self._clock = settings, names, clock
        self._partitions = partitions
        self._totals: View[Total] = crowd.totals
        self._voices: View[Voices] = crowd.voices
        self._signer = Signer(settings.auth)
        self._reaction = codec_for(settings, "reaction")
        self._ingest = {kind: codec_for(settings, f"ingest-{kind}") for kind in Kind}
        #: Its inputs are folded here, and not one by one: it knows where records belong, and writes states.
        self.owner = Owner(names.reactions, tables, decode=_none, route=_none, refuse=_none)
        self._rejections = Rejections(names.rejected, catalog_for(settings))
        self._channel, self._sanctions = channel, sanctions
        self._parts: dict[int, _Part] = {}
        self._write = write
        for view in (self._totals, self._voices):
            view.on_stale = partial(self._stale, view.type)
        self._sweep = CrowdSweep(crowd.totals)
        self._woken = asyncio.Event()
        #: Polls whose end was asked for, and when; and the ends that are to be put on the log.
        self._asked: dict[bytes, float] = {}
        self._ending: list[Total] = []
        entity_of = self._totals.type.entity_of
        self._ends = Ends(self._totals, lambda key: self.owner.owns(entity_of(key)))

    @property
    def topic(self) -> str:
        """What is read for it in turns."""
        return self._names.reactions

    @property
    def states(self) -> list[str]:
        """The topics that it writes."""
        return [self._names.totals, self._names.voices]

    def _stale(self, type_: AnyType, key: bytes, known: Known[Any]) -> None:
        """Something older has come after a record."""
        entity, _, number = key.decode("utf-8", "replace").partition("\0")
        if entity != FOLDED:
            written_again(self._write, self.owner, type_, key, known)
        elif number.isdigit() and int(number) in self._parts:
            self._write([Write(type_.topic, type_.encode(known.state), key, int(number))])

    # ── partitions come and go ───────────────────────────────────────────────────────────────────────

    def opening(self, starts: Mapping[Partition, int], positions: Mapping[Partition, int]) -> None:
        """These partitions are this worker's, from these offsets on; of those whose `positions` are the same
        what is known goes on to hold."""
        mine = {place: start for place, start in starts.items() if place.topic == self.topic}
        kept = {
            place.partition: self._parts[place.partition]
            for place, start in mine.items()
            if place.partition in self._parts and positions.get(place) == start
        }
        self._ending.clear()
        self._asked.clear()
        self._ends.clear()
        counts = self._partitions()
        self.counters.opening(counts[self._names.counters], counts[self._names.ingest[Kind.BROADCAST]])
        around = self._surroundings()
        self._parts = {
            place.partition: kept.get(place.partition) or _Part(CrowdFold(place, around), start)
            for place, start in mine.items()
        }

    def _surroundings(self) -> Surroundings:
        answers = Answers(
            (self._names.answers, self._partitions().get(self._names.answers, 0)),
            codec_for(self._settings, "answer").encode,
        )
        return Surroundings(
            kept=self._kept,
            channel=self._channel,
            sanctions=self._sanctions,
            signer=self._signer,
            decode=self._reaction.decode,
            answers=answers,
            rejections=self._rejections,
            tell_end=self._ending.append,
            tally=self.counters.reacted,
            events_per_s=self._settings.stream.user_events_per_s,
        )

    def _kept(self, key: bytes) -> Kept:
        parts, prefix, after = list[tuple[int, Voices]](), parts_of(key), b""
        while page := self._voices.scan(prefix, after=after):
            parts += [(int(name[len(prefix) :]), part) for name, part in page]
            after = page[-1][0]
        return Kept(self._totals.get(key), parts)

    def forget(self, channel: str) -> None:
        """What is set for a channel has changed."""
        for part in self._parts.values():
            part.fold.forget(channel)

    # ── records ──────────────────────────────────────────────────────────────────────────────────────

    def fold(self, place: Partition, records: list[Record]) -> list[Write]:
        """These inputs; what has changed is written a moment later."""
        part = self._parts.get(place.partition)
        if part is None:
            return []
        count = self._partitions()[self.topic]
        writes: list[Write] = []
        right: list[Record] = []
        belongs: dict[bytes, int] = {}
        for record in records:
            key = record.key or b""
            to = belongs.get(key)
            if to is None:
                to = belongs[key] = partition_of_key(key, count)
            if to == place.partition:
                right.append(record)
            else:
                writes.append(self.owner.put_right(place, record, to))
        found = part.fold.fold(right, self.owner.source(place), partial(self.owner.origin, place))
        part.folded = records[-1].offset + 1
        for what, number in found.counted.items():
            REACTIONS.labels(what).inc(number)
        for reason, number in found.rejected.items():
            REJECTED.labels(reason).inc(number)
        self._woken.set()
        return writes + found.writes

    async def run(self, check_awake: Callable[[], None], barrier: Callable[[], Awaitable[None]]) -> None:
        """Write what has changed, the first of it at once. `barrier` waits until it is on the log."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            began = self._clock.monotonic()
            ends, self._ending[:] = list(self._ending), []
            check_awake()
            self._write([self._end_of(total) for total in ends])
            for number in list(self._parts):
                for writes in self._flushed(number):
                    check_awake()
                    self._write(writes)
                    await asyncio.sleep(0)
            took = self._clock.monotonic() - began
            if ends:
                await barrier()
                self._ends_told(ends)
            await asyncio.sleep(max(_EVERY_S - took, min(took / _SHARE, 1.0)))

    def committing(self, offsets: Mapping[Partition, int]) -> list[Write]:
        """All that is to be on the brokers before these offsets are committed."""
        writes: list[Write] = []
        for place in offsets:
            if place.topic == self.topic:
                for some in self._flushed(place.partition):
                    writes += some
                if (part := self._parts.get(place.partition)) is not None:
                    part.fold.make_room()
        return writes + self.counters.committing()

    def _flushed(self, number: int) -> Iterator[list[Write]]:
        """What is to be written of a partition, some at a time."""
        part = self._parts.get(number)
        if part is None or (not part.fold.changed and part.folded == part.told):
            return
        upto, slots = part.folded, list(part.fold.changed.values())
        for start in range(0, len(slots), _AT_ONCE):
            if self._parts.get(number) is not part:
                return
            yield [write for slot in slots[start : start + _AT_ONCE] for write in self._writes_of(part, slot)]
        part.told = max(part.told, upto)
        yield self._folded(number, upto)

    def _writes_of(self, part: _Part, slot: Slot) -> list[Write]:
        part.fold.changed.pop(slot.key, None)
        writes: list[Write] = []
        if slot.slot == KEYS:
            # First the applause: what is found to be counted, is.
            writes += self._writes_of(part, part.fold.slot(slot.stream, ""))
        if slot.total_changed:
            slot.total_changed = False
            self._ends.changed(slot.key)
            known = self._totals.known(slot.key)
            stamp = Stamp(known.stamp.revision + 1, dict(slot.places))
            total = self._totals.type.with_stamp(slot.total, stamp)
            value = self._totals.type.encode(total)
            writes += self.owner.write(
                self._totals.type, Written(slot.key, known._replace(state=total, stamp=stamp), value)
            )
        if slot.voices_changed:
            slot.voices_changed = False
            for one in slot.voices.take():
                writes += self._part_writes(slot.key, one)
        return writes

    def _part_writes(self, key: bytes, part: PartWrite) -> list[Write]:
        of_part, type_ = part_key(key, part.number), self._voices.type
        known = self._voices.known(of_part)
        stamp = known.stamp._replace(revision=known.stamp.revision + 1)
        if part.voices is None:
            return self.owner.write(type_, Written(of_part, known._replace(state=None, stamp=stamp), None))
        voices = msgspec.structs.replace(part.voices, revision=stamp.revision)
        stamp = Stamp(stamp.revision, voices.places)
        written = Written(of_part, known._replace(state=voices, stamp=stamp), type_.encode(voices))
        return self.owner.write(type_, written)

    def _folded(self, number: int, upto: int) -> list[Write]:
        """How far a partition is folded, in the partitions of states that have the same number."""
        key, writes = folded_key(number), list[Write]()
        states: list[tuple[AnyType, View[Any], Any]] = [
            (self._totals.type, self._totals, Total(stream="", folded=upto)),
            (self._voices.type, self._voices, Voices(folded=upto)),
        ]
        for type_, view, plain in states:
            known = view.known(key)
            if known.state is not None and known.state.folded >= upto:
                continue
            stamp = Stamp(known.stamp.revision + 1)
            state = type_.with_stamp(plain, stamp)
            view.wrote(key, known._replace(state=state, stamp=stamp, partitions=(number,)))
            writes.append(Write(type_.topic, type_.encode(state), key, number))
        return writes

    # ── polls that end ───────────────────────────────────────────────────────────────────────────────

    def look(self) -> list[Write]:
        """Close the polls whose time is over; tell ends again of which it is not known that they are told;
        and how channels that are counted stand."""
        writes = self.counters.look()
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        self._asked = {key: at for key, at in self._asked.items() if now - at < _AGAIN_S}
        for key, total in self._ends.due(now_ms, self._asked):
            if total.poll is not None and total.poll.closed is not None:
                self._ending.append(total)
                self._woken.set()
            else:
                writes.append(self._close(Stream.parse(total.stream), total.target))
            self._asked[key] = now
        return writes

    def sweep(self) -> list[Write]:
        """Take away what there is of events of which nothing is kept any more, some at a time."""
        writes: list[Write] = []
        if not self._totals.is_open:
            return writes
        for key in self._sweep.due(self._clock.now_ms()):
            if not self.owner.owns(self._totals.type.entity_of(key)):
                continue
            writes += self._gone(self._totals, key)
            for part, _ in self._voices.scan(parts_of(key)):
                writes += self._gone(self._voices, part)
        return writes

    def _gone(self, view: View[Any], key: bytes) -> list[Write]:
        known = view.known(key)
        stamp = known.stamp._replace(revision=known.stamp.revision + 1)
        return self.owner.write(view.type, Written(key, known._replace(state=None, stamp=stamp), None))

    def _close(self, stream: Stream, poll: str) -> Write:
        value = self._reaction.encode(made(stream, CLOSE, target=poll))
        headers = signed_headers(self._signer, stream.channel, value)
        partition = partition_of(stream.channel, self._partitions()[self.topic])
        return Write(self.topic, value, stream.channel.encode(), partition, headers=headers)

    def _end_of(self, total: Total) -> Write:
        """The event of a poll's end. Its key keeps it from being told twice."""
        stream, counts = Stream.parse(total.stream), self._partitions()
        topic = self._names.ingest[stream.kind]
        value = self._ingest[stream.kind].encode(polls.closed_event(stream.kind, total.target, total))
        headers = self._signer.headers(stream.kind, stream.channel, value)
        partition = partition_of(stream.channel, counts[topic])
        return Write(topic, value, stream.channel.encode(), partition, headers=headers)

    def _ends_told(self, ends: Sequence[Total]) -> None:
        for total in ends:
            stream = Stream.parse(total.stream)
            number = partition_of(stream.channel, self._partitions()[self.topic])
            if (part := self._parts.get(number)) is not None:
                part.fold.told_end(stream, total.target)
                self._woken.set()


def _none(*_: Any) -> NoReturn:
    raise NotImplementedError("Reactions are folded in turns, not one by one.")
