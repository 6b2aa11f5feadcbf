"""Tells users: makes signed events in `broadcast:notify-<user>` of what chat events and friendships say.

What is read again makes the same events under the same keys, of which the workers accept one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from control.nearby.friends import Friend
from control.outlets.looking import LIVE
from control.outlets.notifying import LOOK, read_look
from control.rooms.state import Room
from control.state import ControlState
from history import History
from kernel.access.signing import Signer
from kernel.access.tokens import Grants
from kernel.access.users import NOTIFY, ROOM
from kernel.errors import TouchlineError
from kernel.fairness.long_work import LongWork
from kernel.log.positions import Kind, Stream, partition_of, split_lane
from kernel.log.records import Partition, Record, Write
from kernel.log.topics import topic_names
from kernel.process.lines import Lines
from kernel.process.metrics import NOTIFIED
from kernel.settings.reading import Settings
from outbox.events import Events
from outbox.notifying.live import Live
from outbox.notifying.notes import Note, answers, may_tell, note_of_friend, notes_of
from schemas.registry import codec_for

_lines = Lines("touchline.outbox")
#: Events of one batch that are looked into at once.
_AT_ONCE: Final = 64
_AGAIN_S: Final = 1.0
#: How often a room is waited for, two seconds each time.
_LOOKS: Final = 5
_LOOK: Final = LOOK.encode()
_LIVE: Final = LIVE.encode()


class _Sender(msgspec.Struct):
    sender: str | None = None


_sender_of: Final = msgspec.json.Decoder(_Sender).decode


class Notifier:
    """Decides who is told what."""

    def __init__(
        self, settings: Settings, state: ControlState, history: History, events: Events, live: Live
    ) -> None:
        names = topic_names(settings)
        self._chat, self._broadcast = names.events[Kind.CHAT], names.events[Kind.BROADCAST]
        self._friends, self._changes = names.friends, names.changes
        self._live, self._control = live, codec_for(settings, "control")
        self._ingest = names.ingest[Kind.BROADCAST]
        self._state, self._history, self._events = state, history, events
        self._friend = state.consent.friends.type
        self._signer = Signer(settings.auth)
        #: Partitions of the topic that it writes to.
        self.partitions = 1
        #: Users whose notifications lead out: they are told at once of what goes live.
        self.reached: Callable[[], Sequence[str]] = tuple

    @property
    def topics(self) -> tuple[str, ...]:
        """What it reads."""
        return (self._chat, self._broadcast, self._friends, self._changes)

    async def writes(self, records: Sequence[tuple[Partition, Record]]) -> list[Write]:
        """What is to be written of these records, in their order. It waits where it cannot be known now."""
        if not self._signer.able:
            return []
        found: list[list[Note]] = []
        due = [(place, record) for place, record in records if self._concerns(place, record)]
        for first in range(0, len(due), _AT_ONCE):
            part = due[first : first + _AT_ONCE]
            found += await asyncio.gather(*(self._patiently(place, record) for place, record in part))
        work, writes = LongWork(self._state.clock), list[Write]()
        for notes in found:
            for note in notes:  # of what goes live there may be thousands, and each is signed
                writes += self._written(note)
                if work.over:
                    await work.let_by()
        return writes

    def _concerns(self, place: Partition, record: Record) -> bool:
        if record.value is None:
            return False
        if place.topic == self._changes:
            return _LOOK in record.value
        if place.topic == self._broadcast:
            return _LIVE in record.value
        return place.topic == self._friends or (
            place.topic == self._chat and may_tell(record.key or b"", record.value)
        )

    async def _patiently(self, place: Partition, record: Record) -> list[Note]:
        while True:
            try:
                return await self._notes(place, record)
            except TouchlineError as error:
                if error.code != "unavailable":
                    _lines.warning("nobody is told of an event", error.code, why=error.message)
                    return []
                _lines.warning("it is not known yet who is to be told", error.code, why=error.message)
                await asyncio.sleep(_AGAIN_S)

    async def _notes(self, place: Partition, record: Record) -> list[Note]:
        if place.topic == self._friends:
            return self._of_friend(record)
        if place.topic == self._changes:
            return await self._of_look(record)
        if place.topic == self._broadcast:
            return await self._of_broadcast(record)
        event = self._events.decoded(Kind.CHAT, record)
        if event is None:
            return []
        author = await self._author(event)
        room = await self._room(event) if event["channel"].startswith(ROOM) else None
        members = () if room is None else tuple(member.user for member in room.members)
        notes = notes_of(event, author=author, members=members)
        return [note for note in notes if self._reaches(note, event)]

    def _of_friend(self, record: Record) -> list[Note]:
        try:
            friend: Friend = self._friend.decode(record.value or b"")
        except TouchlineError:
            return []
        note = note_of_friend(friend)
        return [] if note is None or self._blocked(note.user, friend.friend) else [note]

    async def _of_look(self, record: Record) -> list[Note]:
        command = self._control.decode(record.value or b"")
        if command["command"] != LOOK:
            return []
        key = (record.key or b"").decode("utf-8", "replace")
        return await self._live.notes(read_look(key, command["arguments"], self._signer))

    async def _of_broadcast(self, record: Record) -> list[Note]:
        event = self._events.decoded(Kind.BROADCAST, record)
        if event is None or event["type"] != LIVE or event["channel"].startswith(NOTIFY):
            return []
        return await self._live.came(event, self.reached())

    async def _room(self, event: Mapping[str, Any]) -> Room | None:
        """The room of an event, as new as the event says; None where it does not come: it is swept away."""
        for _ in range(_LOOKS):
            try:
                return await self._state.rooms.record(event["channel"], event.get("members_at") or 0)
            except TouchlineError as error:
                _lines.warning("a room is not known yet", error.code, why=error.message)
        return None

    async def _author(self, event: Mapping[str, Any]) -> str | None:
        """Who has written what a chat event answers."""
        target = answers(event)
        if not target:
            return None
        channel = split_lane(event["channel"])[0]
        lanes = self._state.layout(channel).lanes
        body = await self._history.find(Stream(Kind.CHAT, channel), target, lanes)
        return None if body is None else _sender_of(body).sender

    def _reaches(self, note: Note, event: Mapping[str, Any]) -> bool:
        """Whether somebody may read what they would be told of, from whom they would be told of it."""
        by, channel = note.data["by"], split_lane(event["channel"])[0]
        if by is not None and self._blocked(note.user, by):
            return False
        state = self._state
        if state.moderation.retracted(channel, event["id"]):
            return False
        spans = state.readers.readable(Grants(user=note.user, can={}), channel)
        if event["seq"] not in spans:
            return False
        if channel.startswith(ROOM) and note.types != ("invited",):
            mine = state.rooms.of_user_in(note.user, channel.removeprefix(ROOM))
            return mine is None or not mine.muted
        return True

    def _blocked(self, user: str, by: str) -> bool:
        return self._state.rooms.has_blocked(user, by)

    def _written(self, note: Note) -> list[Write]:
        wishes = self._state.outlets.notifying_of(note.user)
        type_ = next((one for one in note.types if wishes.wants(one)), None)
        if type_ is None:
            return []
        NOTIFIED.labels(type_).inc()
        return [self.write(note, type_)]

    def write(self, note: Note, type_: str) -> Write:
        """The record, signed."""
        value, channel = note.value(type_), note.channel
        headers = self._signer.headers(Kind.BROADCAST, channel, value)
        partition = partition_of(channel, self.partitions)
        return Write(self._ingest, value, channel.encode(), partition, headers=headers)
