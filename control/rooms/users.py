"""What is kept of users beside rooms: which rooms they are in, and whom they have blocked. Pure.

A user may be in any number of rooms, so these lie in records of some rooms each: found together by the user's
name, and one that changes is small. Rooms say it (`room_member`, signed by the worker that has folded the
change); the user says what is muted, and whom they block.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from control.entity.fold import Change, Input
from control.entity.types import pair_key
from control.rooms.membership import Spans
from control.rooms.state import Room
from kernel.access.signing import HEADER, Signer
from kernel.access.users import check_user, name_in_channel
from kernel.errors import TouchlineError

#: Rooms of one record: at most, and with the longest of names.
MOST: Final = 100
#: What the MAC of `room_member` is for.
_KIND: Final = "changes"
IN_ROOM: Final = "room_member"
MUTE: Final = "mute_room"
BLOCK: Final = "block"
UNBLOCK: Final = "unblock"


class UserRoom(msgspec.Struct, frozen=True, kw_only=True):
    """A room that a user is in."""

    room: str
    #: The seq of the room's change that says it.
    at: int
    since: int
    ranges: tuple[int, ...] = ()
    #: Whether the ranges are all that was ever said under the room's name.
    whole: bool = True
    muted: bool = False

    @property
    def spans(self) -> Spans:
        """What they may read of it."""
        return Spans(tuple(zip(self.ranges[::2], self.ranges[1::2], strict=False)))


class UserRooms(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.user-rooms."""

    rooms: tuple[UserRoom, ...] = ()
    revision: int = 0
    places: dict[str, int] = {}


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.blocks."""

    user: str
    blocked: str
    at: int = 0
    revision: int = 0
    places: dict[str, int] = {}


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """What a room says of one user after a change of it."""

    user: str
    room: str
    at: int
    #: None: they are not in it.
    since: int | None = None
    ranges: tuple[int, ...] = ()
    whole: bool = True


class _About(msgspec.Struct, frozen=True):
    """Arguments of the commands that users give."""

    user: str
    room: str = ""
    on: bool = True
    blocked: str = ""


class _Signed(msgspec.Struct, frozen=True):
    """Arguments of `room_member`: what a worker has said, and its MAC."""

    said: str
    mac: str


def key_of(user: str) -> str:
    """The part of their records' keys that is a user's, and the key of commands about them."""
    return name_in_channel(user)


def rooms_key(user: str, number: int) -> bytes:
    """The key of so manieth record of a user's rooms."""
    return pair_key(key_of(user), f"{number:04d}")


def block_key(user: str, blocked: str) -> bytes:
    """The key of the record that says that `user` has blocked somebody."""
    return pair_key(key_of(user), key_of(blocked))


# ── what rooms say ───────────────────────────────────────────────────────────────────────────────────────


def memberships(room: Room, users: Sequence[str]) -> Iterator[Membership]:
    """What the room says of these users now."""
    for user in users:
        one = room.member(user)
        if one is None:
            yield Membership(user=user, room=room.room, at=room.changed)
            continue
        spans = room.readable(user)
        whole = spans.throughout and spans.first == room.born and room.first_of_name
        ranges = tuple(seq for pair in spans.ranges for seq in pair)
        yield Membership(
            user=user, room=room.room, at=room.changed, since=one.since, ranges=ranges, whole=whole
        )


def signed(one: Membership, signer: Signer) -> bytes:
    """Arguments of the command that says it."""
    said = msgspec.json.encode(one)
    headers = signer.headers(_KIND, key_of(one.user), said) or [(HEADER, b"")]
    mac = headers[0][1]
    return msgspec.json.encode({"said": said.decode(), "mac": mac.hex() if isinstance(mac, bytes) else ""})


def read_membership(key: bytes, arguments: str | bytes, signer: Signer) -> Membership:
    """The other way round. Raises `forbidden` for what no worker has said."""
    try:
        given = msgspec.json.decode(arguments, type=_Signed)
        said, mac = given.said.encode(), bytes.fromhex(given.mac)
        one = msgspec.json.decode(said, type=Membership)
    except (ValueError, RecursionError) as error:
        raise TouchlineError(
            "bad_request", f"This says of nobody that they are in a room: {error}."
        ) from None
    if not signer.signed(_KIND, key.decode("utf-8", "replace"), said, [(HEADER, mac)]):
        raise TouchlineError("forbidden", "Only Touchline itself says who is in a room.")
    return one


# ── folds ────────────────────────────────────────────────────────────────────────────────────────────────

StateOf = Callable[[bytes], UserRooms | None]


def fold_rooms(signer: Signer) -> Callable[[Input, StateOf], Sequence[Change[UserRooms]]]:
    """What `room_member` and `mute_room` make of a user's rooms."""

    def fold(given: Input, state: StateOf) -> Sequence[Change[UserRooms]]:
        if given.value["command"] == MUTE:
            about = read_about(given.key.decode("utf-8", "replace"), MUTE, given.value["arguments"])
            return _mute(about.user, about.room, on=about.on, state=state)
        return _member(read_membership(given.key, given.value["arguments"], signer), state)

    return fold


def _member(one: Membership, state: StateOf) -> Sequence[Change[UserRooms]]:
    number, chunk = _chunk_of(one.user, one.room, state)
    before = next((r for r in chunk.rooms if r.room == one.room), None)
    if before is not None and before.at >= one.at:
        return []  # said once more, by a worker that has taken over
    rest = tuple(r for r in chunk.rooms if r.room != one.room)
    if one.since is None:
        if before is None:
            return []
        return [Change(rooms_key(one.user, number), replace(chunk, rooms=rest))]
    now = UserRoom(
        room=one.room,
        at=one.at,
        since=one.since,
        ranges=one.ranges,
        whole=one.whole,
        muted=before is not None and before.muted,
    )
    return [Change(rooms_key(one.user, number), replace(chunk, rooms=(*rest, now)))]


def _mute(user: str, room: str, *, on: bool, state: StateOf) -> Sequence[Change[UserRooms]]:
    number, chunk = _chunk_of(user, room, state)
    if all(one.room != room for one in chunk.rooms):
        raise TouchlineError("not_found", f"There is no room {room[:100]}.")
    rooms = tuple(replace(one, muted=on) if one.room == room else one for one in chunk.rooms)
    return [Change(rooms_key(user, number), replace(chunk, rooms=rooms))] if rooms != chunk.rooms else []


def _chunk_of(user: str, room: str, state: StateOf) -> tuple[int, UserRooms]:
    """The record in which a room is, or the first one with room for it."""
    free: tuple[int, UserRooms] | None = None
    number = 0
    while (chunk := state(rooms_key(user, number))) is not None:
        if any(one.room == room for one in chunk.rooms):
            return number, chunk
        if free is None and len(chunk.rooms) < MOST:
            free = number, chunk
        number += 1
    return free or (number, UserRooms())


def fold_blocks(given: Input, state: Callable[[bytes], Block | None]) -> Sequence[Change[Block]]:
    """What `block` and `unblock` do."""
    command = given.value["command"]
    about = read_about(given.key.decode("utf-8", "replace"), command, given.value["arguments"])
    key = block_key(about.user, about.blocked)
    if command == UNBLOCK:
        return [] if state(key) is None else [Change(key, None)]
    if state(key) is not None:
        return []
    return [Change(key, Block(user=about.user, blocked=about.blocked, at=given.append_ms))]


# ── commands that users give ─────────────────────────────────────────────────────────────────────────────

#: Commands about users. `room_member` only workers give.
COMMANDS: Final = frozenset({IN_ROOM, MUTE, BLOCK, UNBLOCK})
GIVEN_BY_USERS: Final = frozenset({MUTE, BLOCK, UNBLOCK})


def read_about(key: str, command: str, arguments: str | bytes | Mapping[str, Any]) -> _About:
    """A command's arguments. Raises `bad_request`."""
    try:
        if isinstance(arguments, Mapping):
            about = msgspec.convert(arguments, _About)
        else:
            about = msgspec.json.decode(arguments, type=_About)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise TouchlineError("bad_request", f"The arguments of {command} are wrong: {error}.") from None
    check_user(about.user)
    if key_of(about.user) != key:
        raise TouchlineError("bad_request", "The command is about another user than it says.")
    if command in (BLOCK, UNBLOCK):
        check_user(about.blocked)
        if about.blocked == about.user:
            raise TouchlineError("bad_request", "Nobody blocks themselves.")
    return about
