"""Rooms in the fold: who may write a message is what the room's stream said before it. Pure.

A change of a room is a record among the messages. The room after it is written to touchline.rooms, and what
it means for each user to touchline.changes. Both are on their way together with the event, so after a crash
each may be there without the other: a record that is judged again finds in the room's record (`Room.recent`,
and who was in it when) what was decided before.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from control.crowd.polls import CLOSED
from control.entity.fold import Written
from control.entity.known import Known
from control.entity.types import Stamp
from control.rooms.changes import TYPE, Change, apply, not_found, read_change, said_again
from control.rooms.state import Room
from kernel.access.users import ROOM
from kernel.errors import TouchlineError
from kernel.log.records import Write


class Unchanged(Exception):  # noqa: N818 - it reads as what it says
    """A change that changes nothing; `seq` is that of the latest one that did."""

    def __init__(self, seq: int) -> None:
        super().__init__()
        self.seq = seq


class Decided(NamedTuple):
    """A change that counts: its room after it (None: that is written already), and whom it is about."""

    room: Room
    users: Sequence[str]
    new: bool


class Table(Protocol):
    """Rooms as the owner knows them."""

    def known(self, key: bytes) -> Known[Room]: ...


class RoomsFold:
    """The rooms of one worker."""

    def __init__(
        self,
        table: Table,
        write: Callable[[Written[Room]], list[Write]],
        encode: Callable[[Room], bytes],
        tell: Callable[[Room, Sequence[str]], list[Write]],
    ) -> None:
        """`write` says how a room's record is written, `tell` what users are told of a room."""
        self._table, self._write, self._encode, self._tell = table, write, encode, tell

    def judge(
        self, event: dict[str, Any], channel: str, seq: int, append_ms: int, *, settled: bool
    ) -> Decided | None:
        """Decide about an event of a room's stream; it is completed with what the fold knows.

        `settled`: it was accepted before, by a worker that may be gone. Returns what is to be done once it is
        accepted. Raises TouchlineError, or Unchanged.
        """
        room, name = self._table.known(channel.encode()).state, channel.removeprefix(ROOM)
        if event["type"] != TYPE:
            # The end of a poll is nobody's word, and there was somebody who made it.
            said = event["type"] != CLOSED
            if not settled and (room is None or (said and not room.may_write(event["sender"] or "", seq))):
                raise not_found(name)
            event["members_at"] = None if room is None else room.changed_before(seq)
            return None
        change = read_change(event["data"]["extra"] or "{}")
        event["members_at"] = seq
        if room is not None and seq <= room.changed:
            return self._again(event, room, change, seq, settled=settled)
        try:
            made = apply(room, change, name=name, by=event["sender"], seq=seq, at_ms=append_ms)
        except TouchlineError:
            if settled and room is not None:
                return Decided(room, (), new=False)
            raise
        if made is None:
            raise Unchanged(0 if room is None else room.changed)
        _say(event, made.data)
        return Decided(made.room, made.data["users"], new=True)

    def _again(
        self, event: dict[str, Any], room: Room, change: Change, seq: int, *, settled: bool
    ) -> Decided:
        if not room.has_change(seq):
            if settled:
                return Decided(room, (), new=False)
            raise not_found(room.room)
        data = said_again(room, change, by=event["sender"], seq=seq)
        _say(event, data)
        return Decided(room, data["users"], new=False)

    def writes(self, channel: str, decided: Decided) -> list[Write]:
        """What is written of it, beside its event. What may have been lost with a worker is said again."""
        key, room = channel.encode(), decided.room
        written: list[Write] = []
        if decided.new:
            known = self._table.known(key)._replace(state=room, stamp=Stamp(room.revision))
            written += self._write(Written(key, known, self._encode(room)))
        return written + self._tell(room, decided.users)


def _say(event: dict[str, Any], data: dict[str, Any]) -> None:
    event["data"] = {"text": "", "target": None, "extra": msgspec.json.encode(data).decode()}
