"""Records of deleted rooms go once all of their events are gone, and no sooner; of others never."""

from control.entity.known import Known
from control.entity.types import Stamp
from control.rooms.state import Changed, Member, Room
from streams.upkeep.room_sweep import KEPT_MS, RoomSweep

NOW = 10 * KEPT_MS


def room(name: str, *, deleted: bool, at: int) -> Room:
    members = () if deleted else (Member("ana", "owner", 1, 1),)
    return Room(
        room=name, name="x", deleted=deleted, members=members, recent=(Changed(1, at),), changed=1, revision=3
    )


class Table:
    def __init__(self, rooms: list[Room]) -> None:
        self.rooms = {f"room-{one.room}".encode(): one for one in rooms}

    def scan(self, prefix: bytes, *, after: bytes = b"", limit: int = 50) -> list[tuple[bytes, Room]]:
        keys = sorted(key for key in self.rooms if key.startswith(prefix) and key > after)
        return [(key, self.rooms[key]) for key in keys[:limit]]

    def known(self, key: bytes) -> Known[Room]:
        return Known(self.rooms[key], Stamp(self.rooms[key].revision))


def test_only_rooms_that_were_deleted_long_ago_go_and_all_of_them_in_time() -> None:
    old = [room(f"old-{n:03}", deleted=True, at=NOW - KEPT_MS - 1) for n in range(120)]
    kept = [room("new", deleted=True, at=NOW - KEPT_MS + 1), room("live", deleted=False, at=0)]
    table = Table([*old, *kept])
    sweep = RoomSweep(table)
    gone = [written for _ in range(3) for written in sweep.due(NOW)]
    assert sorted(one.key for one in gone) == sorted(f"room-{one.room}".encode() for one in old)
    assert all(one.value is None and one.known.stamp.revision == 4 for one in gone)
    # Round and round: what comes later is seen the next time.
    table.rooms = {b"room-late": room("late", deleted=True, at=0)}
    assert next(one.key for _ in range(2) for one in sweep.due(NOW)) == b"room-late"
