"""Takes records of deleted rooms away once nobody can ask for anything of them any more: some at a time."""

from typing import Final, Protocol

from control.entity.fold import Written
from control.entity.known import Known
from control.entity.types import Stamp
from control.rooms.state import Room
from kernel.log.topics import DAY_MS

#: Events are kept for thirty days, and a day: until then the record says who was in it when.
KEPT_MS: Final = 31 * DAY_MS
#: Rooms that are looked at at once: a million is gone through in half a day.
_PAGE: Final = 50


class Rooms(Protocol):
    """All rooms, as the table has them."""

    def scan(self, prefix: bytes, *, after: bytes = b"", limit: int = ...) -> list[tuple[bytes, Room]]: ...

    def known(self, key: bytes) -> Known[Room]: ...


class RoomSweep:
    """Goes round and round."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._after = b""

    def due(self, now_ms: int) -> list[Written[Room]]:
        """Of the next rooms those whose records may go. Whoever owns them writes it."""
        page = self._rooms.scan(b"", after=self._after, limit=_PAGE)
        self._after = page[-1][0] if len(page) == _PAGE else b""
        return [self._gone(key) for key, room in page if over(room, now_ms)]

    def _gone(self, key: bytes) -> Written[Room]:
        known = self._rooms.known(key)
        stamp = Stamp(known.stamp.revision + 1, known.stamp.places)
        return Written(key, known._replace(state=None, stamp=stamp), None)


def over(room: Room, now_ms: int) -> bool:
    """Whether a room was deleted so long ago that nothing of it is kept."""
    at = max((one.at for one in room.recent), default=0)
    return room.deleted and now_ms - at > KEPT_MS
