"""Users who have asked an edge for all of their rooms, found by user and by channel.

What changes somewhere concerns few of them: a room's tally, a user's places, the rooms that a user is in.
Nothing here grows with rooms of which nobody is here. Who was here a moment ago and is in many rooms is kept
for a while, with what changes: then nobody looks through all of them when they are back (decision 0138).
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Protocol

from control.rooms.rooms import Rooms
from control.rooms.users import UserRoom, key_of
from kernel.access.users import ROOM

#: Who is in fewer rooms is not kept: to look through these takes a moment; and so many rooms of others are.
MANY: Final = 50
_MOST_KEPT: Final = 50_000
#: Devices of one user of which it is kept what they have found.
_DEVICES: Final = 4


class Feed(Protocol):
    """Somebody who is told of all of a user's rooms that their token covers."""

    def covers(self, room: str) -> bool:
        """Whether the token allows this room."""

    def news(self, channel: str, seq: int) -> None:
        """Something has happened in a room; its latest event is this one."""

    def came(self, room: UserRoom) -> None:
        """The user is in a room that is new to them, or something else holds of one."""

    def gone(self, room: str) -> None:
        """The user is in a room no more."""

    def moved(self) -> None:
        """Places of the user have changed."""

    def moved_in(self, room: str) -> None:
        """The same of one room."""


class Looked(NamedTuple):
    """What a device has found when it looked through all rooms, once it has left."""

    #: How many changes there had been.
    mark: int
    #: What it rests on: with anything else it is worth nothing.
    rests_on: Any
    #: Stream -> from where on it was followed; and the rooms where there was news.
    starts: dict[str, int]
    news: frozenset[str]


class UserHere:
    """A user, with the rooms that they are in as it was told last."""

    __slots__ = ("_changed", "_left", "changes", "feeds", "rooms", "user")

    def __init__(self, user: str) -> None:
        self.user = user
        self.rooms: dict[str, UserRoom] = {}
        self.feeds: dict[Feed, None] = {}
        #: Rooms in the order in which something last happened there, each with the number of that change.
        self._changed: dict[str, int] = {}
        self.changes = 0
        #: Device -> what it knew when it left, the last one last.
        self._left: dict[str, Looked] = {}

    def note(self, room: str) -> None:
        """Something has happened in a room."""
        self.changes += 1
        self._changed.pop(room, None)
        self._changed[room] = self.changes

    def changed_since(self, mark: int) -> Iterator[str]:
        """The rooms in which something has happened since there were so many changes."""
        for room, number in reversed(self._changed.items()):
            if number <= mark:
                return
            yield room

    def leaves(self, device: str, looked: Looked) -> None:
        """A device goes, that may be back in a moment."""
        if device:
            self._left.pop(device, None)
            self._left[device] = looked
            if len(self._left) > _DEVICES:
                del self._left[next(iter(self._left))]

    def back(self, device: str) -> Looked | None:
        """What it knew, for once."""
        return self._left.pop(device, None)

    def told(self, feed: Feed) -> list[UserRoom]:
        """The rooms of which one of them is told."""
        return [one for one in self.rooms.values() if feed.covers(one.room)]

    def feeds_of(self, room: str) -> list[Feed]:
        """Who is told of a room."""
        return [feed for feed in self.feeds if feed.covers(room)]


class Here:
    """All of them at one edge."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._users: dict[bytes, UserHere] = {}
        self._channels: dict[str, dict[UserHere, None]] = {}
        #: Who has left, the one who left longest ago first; and the number of their rooms.
        self._kept: OrderedDict[bytes, UserHere] = OrderedDict()
        self._rooms_kept = 0
        #: Who is in so many rooms is kept.
        self.many = MANY
        if rooms.followed:
            inboxes = rooms.inboxes
            inboxes.tallies.on_forget = lambda key: self.channel_changed(key.decode("utf-8", "replace"))
            inboxes.tallies.still_used = lambda key: key.decode("utf-8", "replace") in self._channels
            rooms.of_users.on_change.append(self._rooms_changed)
            rooms.of_users.used_by(self._users.__contains__)
            inboxes.of_users.on_change.append(self._places_changed)

    def add(self, user: str, feed: Feed) -> UserHere:
        """Tell this one from now on."""
        name = key_of(user).encode()
        found = self._users.get(name)
        if found is None:
            found = self._users[name] = UserHere(user)
        self._unkeep(name)
        found.feeds[feed] = None
        # Of whoever is here all is heard but that a ban's time is over.
        if len(found.rooms) != self._rooms.number_open_at_most(user):
            self._look(found, told=False)
        return found

    def discard(self, user: str, feed: Feed) -> None:
        """No more."""
        name = key_of(user).encode()
        found = self._users.get(name)
        if found is None or found.feeds.pop(feed, found) is found or found.feeds:
            return
        if len(found.rooms) >= self.many:
            self._kept[name] = found
            self._rooms_kept += len(found.rooms)
            while self._rooms_kept > _MOST_KEPT:
                self._leave(next(iter(self._kept)))
        else:
            self._leave(name)

    def _unkeep(self, name: bytes) -> None:
        if (found := self._kept.pop(name, None)) is not None:
            self._rooms_kept -= len(found.rooms)

    def _leave(self, name: bytes) -> None:
        self._unkeep(name)
        found = self._users.pop(name)
        for room in found.rooms:
            self._without(ROOM + room, found)

    def feeds_of(self, channel: str) -> list[Feed]:
        """Those of all users here who are in a room."""
        room = channel.removeprefix(ROOM)
        return [feed for user in self._channels.get(channel, ()) for feed in user.feeds_of(room)]

    def users_of(self, channel: str) -> list[UserHere]:
        """The users here who are in a room, of those who have asked for all of theirs."""
        return list(self._channels.get(channel, ()))

    def is_here(self, name: bytes) -> bool:
        """Whether a user is, by the part of records' keys that is theirs."""
        return name in self._users

    def moved(self, user: str, room: str) -> None:
        """Places of a user in a room have risen here."""
        found = self._users.get(key_of(user).encode())
        for feed in found.feeds_of(room) if found is not None else ():
            feed.moved_in(room)

    # ── what has changed ─────────────────────────────────────────────────────────────────────────────

    def channel_changed(self, channel: str) -> None:
        """A room's tally, or the room itself, is another one."""
        if channel not in self._channels:
            return
        head = self._rooms.inboxes.heads([channel]).get(channel)  # from now on its next change is told, too
        for user in self._channels[channel]:
            user.note(channel.removeprefix(ROOM))
        for feed in self.feeds_of(channel):
            feed.news(channel, 0 if head is None else head.seq)

    def sanctioned(self, channel: str) -> None:
        """Somebody was banned from a room, or is not any more: who is here looks again."""
        for user in list(self.users_of(channel)):
            self._look(user, told=True)

    def _rooms_changed(self, name: bytes) -> None:
        found = self._users.get(name)
        if found is not None:
            self._look(found, told=True)

    def _places_changed(self, name: bytes) -> None:
        found = self._users.get(name)
        for feed in list(found.feeds) if found is not None else ():
            feed.moved()

    def _look(self, user: UserHere, *, told: bool) -> None:
        now = {one.room: one for one in self._rooms.open_to(user.user)}
        before, user.rooms = user.rooms, now
        if self._kept.get(key_of(user.user).encode()) is user:
            self._rooms_kept += len(now) - len(before)
        for room in before.keys() - now.keys():
            user.note(room)
            self._without(ROOM + room, user)
            for feed in user.feeds_of(room) if told else ():
                feed.gone(room)
        for room, one in now.items():
            if room not in before:
                self._channels.setdefault(ROOM + room, {})[user] = None
            if before.get(room) != one:
                user.note(room)
            if told and before.get(room) != one:
                for feed in user.feeds_of(room):
                    feed.came(one)

    def _without(self, channel: str, user: UserHere) -> None:
        of_channel = self._channels.get(channel)
        if of_channel is not None:
            of_channel.pop(user, None)
            if not of_channel:
                del self._channels[channel]
