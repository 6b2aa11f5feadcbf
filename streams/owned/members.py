"""What a worker owns of rooms: their records, by the partitions of their streams; and what users have of it.

Rooms are folded where their messages are, so the owner of a room is the worker of its ingest partition, and
not of touchline.changes. What a room says of its members goes there, to the owners of each of them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from control.entity.fold import EntityFold
from control.entity.known import Known
from control.entity.owner import Owner
from control.entity.tables import Tables
from control.entity.types import AnyType
from control.entity.view import View
from control.rooms.rooms import Rooms
from control.rooms.state import Room
from control.rooms.users import (
    BLOCK,
    IN_ROOM,
    MUTE,
    UNBLOCK,
    block_key,
    fold_blocks,
    fold_rooms,
    key_of,
    memberships,
    read_about,
    signed,
)
from kernel.access.signing import Signer
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, partition_of
from kernel.log.records import Write
from kernel.log.topics import TopicNames
from kernel.settings.reading import Settings
from schemas.registry import codec_for
from streams.fold.checks.rooms import RoomsFold
from streams.upkeep.room_sweep import RoomSweep


class Members:
    """The folds of rooms, of users' rooms and of blocks, and the owner of rooms."""

    def __init__(
        self,
        settings: Settings,
        names: TopicNames,
        tables: Tables,
        rooms: Rooms,
        partitions: Callable[[], Mapping[str, int]],
    ) -> None:
        """`partitions`: topic -> partition count, as it is now."""
        self._signer, self._changes, self._partitions = Signer(settings.auth), names.changes, partitions
        self._control = codec_for(settings, "control")
        self._type, self._view = rooms.rooms.type, rooms.rooms
        self._sweep = RoomSweep(self._view)
        #: Its inputs come by the judges, each among the messages of its room: none are read by itself.
        self.owner = Owner(names.ingest[Kind.CHAT], tables, decode=_none, route=_none, refuse=_refuse)
        self.fold = RoomsFold(
            self._view, lambda written: self.owner.write(self._type, written), self._type.encode, self._tell
        )
        self._of_users: list[View[Any]] = [rooms.user_rooms, rooms.blocks]
        of_rooms = EntityFold(type=rooms.user_rooms.type, fold=fold_rooms(self._signer))
        of_blocks = EntityFold(type=rooms.blocks.type, fold=fold_blocks, decides=_pair)
        #: The commands about users on touchline.changes.
        self.folds: Mapping[str, EntityFold[Any]] = {
            IN_ROOM: of_rooms,
            MUTE: of_rooms,
            BLOCK: of_blocks,
            UNBLOCK: of_blocks,
        }

    def writes_late(self, write: Callable[[list[Write]], None], changes: Owner) -> None:
        """Where something older came after a record, that is written again: by the owner of the room, or of
        the user, whose inputs are `changes`."""
        for view, owner in ((self._view, self.owner), *((one, changes) for one in self._of_users)):
            view.on_stale = partial(written_again, write, owner, view.type)

    def sweep(self, now_ms: int) -> list[Write]:
        """Take records away of rooms that are no more, some at a time."""
        return [
            write
            for written in self._sweep.due(now_ms)
            if self.owner.owns(written.key)
            for write in self.owner.write(self._type, written)
        ]

    def _tell(self, room: Room, users: Sequence[str]) -> list[Write]:
        return [
            self._said(key_of(one.user), signed(one, self._signer).decode())
            for one in memberships(room, users)
        ]

    def _said(self, key: str, arguments: str) -> Write:
        value = self._control.encode(
            {"command": IN_ROOM, "id": None, "actor": "touchline", "at": None, "arguments": arguments}
        )
        raw = key.encode()
        return Write(self._changes, value, raw, partition_of(key, self._partitions()[self._changes]))


def written_again(
    write: Callable[[list[Write]], None], owner: Owner, type_: AnyType, key: bytes, known: Known[Any]
) -> None:
    """Something older has come after a record: write that again."""
    write(owner.rewrite(type_, key, known))


def _pair(given: Any) -> bytes:
    """The record of the block that a command is about."""
    try:
        about = read_about(
            given.key.decode("utf-8", "replace"), given.value["command"], given.value["arguments"]
        )
    except TouchlineError:
        return bytes(given.key)  # refused when it is folded
    return block_key(about.user, about.blocked)


def _none(*_: Any) -> NoReturn:
    raise TouchlineError("bad_request", "Rooms are changed by their own streams.")


def _refuse(*_: Any) -> list[Write]:
    return []
