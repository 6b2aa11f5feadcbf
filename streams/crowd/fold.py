"""The fold of what crowds do: a partition's records of touchline.reactions, one after the other, into totals.

Each input counts once: it is skipped where the state says that it is in it. What is decided rests on the log
alone (append times, offsets, settings of that time), so a worker that takes over decides alike. No record
makes an output of its own: what has changed is written a few times a second (decision 0100).
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from control.channels.channel import ChannelRecord, horizon, settings_at
from control.commands.asker import Asker, asker_of
from control.crowd import polls
from control.crowd.emoji import check_reaction
from control.crowd.reactions import (
    CLOSE,
    MAX_N,
    OF_ROLES,
    POLL,
    REACT,
    VOTE,
    Said,
    bad_n,
    check_target,
    is_signed,
    no_event,
    no_poll,
    read_reaction,
    stream_of,
)
from control.crowd.totals import KEYS, MOST_VOICES, VOTES, Total, Voices, total_key, voice_of
from control.moderation.moderation import muted
from kernel.access.signing import Signer
from kernel.access.users import KEPT, SENDERS
from kernel.errors import TouchlineError
from kernel.fairness.paces import Paces
from kernel.log.positions import Stream, time_of_id
from kernel.log.records import VIA, Headers, Partition, Record, Write
from schemas.rejections import FAULTS, Rejections, unexpected
from streams.crowd.targets import Slot
from streams.crowd.voters import VoiceBook
from streams.fold.checks.guards import SanctionOf
from streams.fold.outputs.answering import Answers

#: Slots that are held while nothing changes in them, and voices in them.
_MOST_SLOTS: Final = 50_000
_MOST_VOICES: Final = 4 * MOST_VOICES
#: A user may bring so many seconds' worth at once.
_BURST_S: Final = 10.0


@lru_cache(maxsize=10_000)
def _place_of(name: str) -> tuple[Stream, bytes, bool]:
    """A record's stream, the key that it has to have, and whether the channel's name is a kept one."""
    stream = stream_of(name)
    return stream, stream.channel.encode(), stream.channel.startswith(KEPT)


class Kept(NamedTuple):
    """What is kept of a slot: its total, and the parts of its voices in order."""

    total: Total | None
    parts: Sequence[tuple[int, Voices]]


class _Rules(NamedTuple):
    """What a channel allows, for a span of append times."""

    allowed: frozenset[str]
    counted: bool
    sanction_of: SanctionOf | None
    since: int
    until: int


class Surroundings(NamedTuple):
    """What the fold asks beside its own state."""

    #: What is kept of a total's key.
    kept: Callable[[bytes], Kept]
    channel: Callable[[str], ChannelRecord]
    sanctions: Callable[[str], SanctionOf | None]
    signer: Signer
    decode: Callable[[bytes], Said]
    answers: Answers
    rejections: Rejections
    #: Called with a poll that has ended.
    tell_end: Callable[[Total], None]
    #: Called with partition, channel, emoji, how many, and append time, source and offset, where it counts.
    tally: Callable[[int, str, str, int, tuple[int, str, int]], None]
    events_per_s: float


class Outcome(NamedTuple):
    """What came of some records."""

    writes: list[Write]
    counted: Counter[str]
    rejected: Counter[str]


class CrowdFold:
    """One partition."""

    def __init__(self, place: Partition, around: Surroundings) -> None:
        self._place, self._around = place, around
        self._slots: OrderedDict[tuple[Stream, str], Slot] = OrderedDict()
        self._rules: dict[str, _Rules] = {}
        self._paces = Paces()
        self._voices_held = 0
        self.changed: dict[bytes, Slot] = {}

    def fold(
        self, records: Iterable[Record], here: str, origin: Callable[[Record], tuple[str, int]]
    ) -> Outcome:
        """Take these records in their order. `here` is the partition's name, `origin` says where a record lay
        first that was put into it."""
        writes: list[Write] = []
        counted, rejected = Counter[str](), Counter[str]()
        for record in records:
            said: Said | None = None
            asker = asker_of(record.headers) if record.headers else None
            try:
                said = read_reaction(record.value or b"", self._around.decode)
                source, offset = here, record.offset
                if record.headers:
                    source, offset = origin(record)
                self._take(record, said, source, offset)
                counted[said["what"]] += 1
                if asker is not None:
                    writes += self._around.answers.accepted(asker, record.offset, "")
            except FAULTS:
                raise
            except Exception as error:
                known = error if isinstance(error, TouchlineError) else unexpected(error, "reaction")
                rejected[known.code] += 1
                writes += self._refused(record, said, asker, known)
        return Outcome(writes, counted, rejected)

    def _refused(
        self, record: Record, said: Said | None, asker: Asker | None, error: TouchlineError
    ) -> list[Write]:
        user, key = (None, None) if said is None else (said["user"], said["key"])
        topic, partition = self._place
        refusal = self._around.rejections.write(topic, partition, record, error, sender=user, key=key)
        return [refusal, *(self._around.answers.refused(asker, error) if asker is not None else ())]

    def forget(self, channel: str) -> None:
        """What is set for a channel has changed."""
        self._rules.pop(channel, None)

    # ── one record ───────────────────────────────────────────────────────────────────────────────────

    def _take(self, record: Record, said: Said, source: str, offset: int) -> None:
        stream, key, kept = _place_of(said["stream"])
        append_ms = record.append_ms
        if key != record.key:
            raise TouchlineError("bad_channel", "The record's key is not the channel of its stream.")
        self._check_who(record, said, stream, kept=kept)
        what, target = said["what"], said["target"]
        if what in OF_ROLES:
            self._of_roles(said, stream, source, offset, append_ms)
            return
        if said["user"] is not None:
            self._check_user(said["user"], stream, record.headers, append_ms)
        if what == VOTE:
            self._vote(said, stream, source, offset, append_ms)
        elif what == REACT:
            rules = self._rules_of(stream.channel, append_ms)
            if rules.allowed and said["with"] not in rules.allowed:
                check_reaction(said["with"], rules.allowed)
            do = self._applaud if target is None else self._react
            if do(said, stream, source, offset, append_ms) and rules.counted and not said["off"]:
                place = (append_ms, source, offset)
                partition = self._place.partition
                self._around.tally(partition, stream.channel, said["with"], said["n"], place)

    def _check_who(self, record: Record, said: Said, stream: Stream, *, kept: bool) -> None:
        """Some things only roles say, in some channels only doors, who have asked whether a user may."""
        user, needs = said["user"], kept or said["what"] in OF_ROLES
        if user is not None and user.startswith(SENDERS):
            needs = True
        if not needs and said["n"] <= MAX_N:
            return
        signer, value = self._around.signer, record.value or b""
        if not is_signed(signer, stream.channel, value, record.headers):
            if not needs:
                raise bad_n(said["n"])
            raise TouchlineError("forbidden", f"Only Touchline itself says this of {stream}.")

    def _check_user(self, user: str, stream: Stream, headers: Headers | None, append_ms: int) -> None:
        sanction_of = self._rules_of(stream.channel, append_ms).sanction_of
        if sanction_of is not None:
            one = sanction_of(user)
            if one is not None and one.muted_at(append_ms):
                raise muted(stream.channel)
        if headers and any(name == VIA for name, _ in headers):
            worth = 1000 / self._around.events_per_s
            wait = self._paces.wait(user, append_ms, _BURST_S * 1000 - worth)
            if wait > 0:
                raise TouchlineError(
                    "rate_limited", f"You have reacted too often: go on in {wait / 1000:.1f} s."
                )
            self._paces.count(user, append_ms, worth)

    def _rules_of(self, channel: str, append_ms: int) -> _Rules:
        found = self._rules.get(channel)
        if found is None or not found.since <= append_ms < found.until:
            record = self._around.channel(channel)
            since, until = horizon(record, append_ms)
            settings = settings_at(record, append_ms)
            if len(self._rules) >= _MOST_SLOTS:
                self._rules.clear()
            found = self._rules[channel] = _Rules(
                *(frozenset(settings.reactions), settings.counters, self._around.sanctions(channel)),
                *(since, until),
            )
        return found

    # ── what is done ─────────────────────────────────────────────────────────────────────────────────

    def _applaud(self, said: Said, stream: Stream, source: str, offset: int, append_ms: int) -> bool:
        """Whether it counts, as far as is known: what was read before may."""
        slot = self.slot(stream, "")
        if (key := said["key"]) is not None:
            keys = self.slot(stream, KEYS)
            if keys.covers(source, offset) or not keys.remember(
                voice_of(f"{said['user'] or ''}\0{key}"), append_ms
            ):
                return False
            keys.places[source], keys.total_changed = offset + 1, True
            self.changed[keys.key] = keys
        if not slot.covers(source, offset):
            slot.applaud(said["with"], said["n"], source, offset, append_ms)
            self.changed[slot.key] = slot
        return True

    def _react(self, said: Said, stream: Stream, source: str, offset: int, append_ms: int) -> bool:
        target, user = said["target"], said["user"]
        if user is None:
            raise TouchlineError("bad_request", "A reaction to an event is somebody's: user is missing.")
        check_target(stream, target)
        slot = self.slot(stream, target)
        if slot.voices.covers(source, offset):
            return True
        if slot.retracted and not slot.is_before_end(source, offset):
            raise no_event(target, stream)
        voice = voice_of(user)
        self._check_room(slot, voice)
        changes = slot.react(voice, said["with"], source, offset, append_ms, off=said["off"])
        self._note(slot)
        return changes

    def _vote(self, said: Said, stream: Stream, source: str, offset: int, append_ms: int) -> None:
        target, option = said["target"], said["option"]
        slot = self.slot(stream, VOTES + target)
        poll = slot.poll
        if poll is None or (slot.retracted and not slot.is_before_end(source, offset)):
            raise no_poll(target, stream)
        if slot.voices.covers(source, offset):
            return
        if not slot.is_before_end(source, offset) or (poll.closes is not None and append_ms >= poll.closes):
            raise TouchlineError("ended", f"The poll {target} is closed: no more votes count.")
        if option >= len(slot.names):
            raise TouchlineError(
                "bad_request", f"option is {option}: the poll has {len(slot.names)}, counted from 0."
            )
        voice = voice_of(said["user"])
        self._check_room(slot, voice)
        slot.vote(voice, option, source, offset, append_ms)
        self._note(slot)

    def _of_roles(self, said: Said, stream: Stream, source: str, offset: int, append_ms: int) -> None:
        what, target = said["what"], said["target"]
        slot = self.slot(stream, VOTES + target)
        if what == POLL:
            if slot.poll is None and not slot.covers(source, offset):
                opened_ms = time_of_id(target)
                options, poll = polls.begun(said["extra"], by=said["user"], opened_ms=opened_ms)
                slot.begin(options, poll, source, offset, append_ms)
                self._note(slot)
            return
        if what == CLOSE:
            if slot.poll is None:
                raise no_poll(target, stream)
            self._close(slot, source, offset, append_ms)
            return
        for one in (self.slot(stream, target), slot):
            if not one.covers(source, offset) and not one.retracted and (one is not slot or slot.poll):
                one.end(source, offset, append_ms)
                self._note(one)

    def _close(self, slot: Slot, source: str, offset: int, append_ms: int) -> None:
        """The end of a poll is told at once; that it is on the log is noted once it is (`told`)."""
        if slot.poll is None or slot.poll.closed is not None or slot.retracted:
            return
        closes = slot.poll.closes
        at = append_ms if closes is None else min(append_ms, closes)
        slot.end(source, offset, append_ms, poll=polls.closed(slot.poll, at))
        self._note(slot)
        self._around.tell_end(slot.total)

    # ── slots ────────────────────────────────────────────────────────────────────────────────────────

    def told_end(self, stream: Stream, poll: str) -> None:
        """The end of a poll is on the log."""
        slot = self.slot(stream, VOTES + poll)
        if slot.poll is not None and not slot.poll.told:
            slot.poll, slot.total_changed = polls.told(slot.poll), True
            self._note(slot)

    def slot(self, stream: Stream, name: str) -> Slot:
        """The slot of this name in a stream."""
        of = (stream, name)
        slot = self._slots.get(of)
        if slot is None:
            key = total_key(stream, name)
            kept = self._around.kept(key)
            slot = self._slots[of] = Slot(stream, name, key, kept.total, VoiceBook(kept.parts))
            self._voices_held += len(slot.voices)
            if slot.total_changed:
                self.changed[key] = slot
        else:
            self._slots.move_to_end(of)
        return slot

    def _note(self, slot: Slot) -> None:
        if slot.total_changed or slot.voices_changed:
            self.changed[slot.key] = slot

    def _check_room(self, slot: Slot, voice: int) -> None:
        if voice not in slot.voices.of:
            if len(slot.voices.of) >= MOST_VOICES:
                raise TouchlineError(
                    "too_many", f"{MOST_VOICES:,} users have said something here, which is the most."
                )
            self._voices_held += 1

    def make_room(self) -> None:
        """Let go of what was not used for the longest time, of what is written."""
        if len(self._slots) <= _MOST_SLOTS and self._voices_held <= _MOST_VOICES:
            return
        for of, slot in list(self._slots.items()):
            if slot.key not in self.changed:
                self._voices_held -= len(self._slots.pop(of).voices)
            if len(self._slots) <= _MOST_SLOTS * 0.9 and self._voices_held <= _MOST_VOICES * 0.9:
                return
        self._voices_held = sum(len(slot.voices) for slot in self._slots.values())
