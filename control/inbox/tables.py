"""Places and tallies as entities; and what a role asks of them."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from control.entity.structs import plain_type, read_state
from control.entity.tables import Tables
from control.entity.types import AnyType, EntityType, Stamp, entity_of_pair
from control.entity.view import View
from control.inbox.places import DAYS, Device, Places, ReadPosition, places_key
from control.inbox.tally import Tally
from control.inbox.unread import ReadUpTo
from control.rooms.users import key_of
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ
from kernel.log.topics import DAY_MS, topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for

S = TypeVar("S")
T = TypeVar("T")
#: Users of whom it is kept what their records come to.
_REMEMBERED: Final = 10_000
#: Confluent's, before what Avro has.
_HEADER: Final = 5


def places_type(settings: Settings) -> EntityType[Places]:
    """How far users are, some streams a record."""
    topic = topic_names(settings).places
    return plain_type(settings, "places", topic, "places", Places, entity_of=entity_of_pair)


def tally_type(settings: Settings) -> EntityType[Tally]:
    """What rooms' streams have come to. Of two records the one of the later event holds."""
    codec = codec_for(settings, "tally")

    def encode(tally: Tally) -> bytes:
        made: dict[str, Any] = msgspec.to_builtins(tally, builtin_types=(bytes,))
        return codec.encode(made)

    def make(read: dict[str, Any]) -> Tally:
        return msgspec.convert(read, Tally, builtin_types=(bytes,))

    return EntityType(
        name="tallies",
        topic=topic_names(settings).tallies,
        encode=encode,
        decode=lambda value: _sound(read_state(make, codec.decode(value))),
        stamp_of=lambda tally: Stamp(tally.seq),
        with_stamp=lambda tally, _: tally,
    )


def _sound(tally: Tally) -> Tally:
    if not (0 <= tally.n <= MAX_SEQ and 0 <= tally.seq <= MAX_SEQ):
        raise TouchlineError("undecodable", "The record's numbers are none that a stream has.")
    return tally


class UserPlaces(NamedTuple):
    """All of a user's places: looked up record by record, so that one that changes costs itself alone."""

    devices: tuple[Device, ...]
    gone: Mapping[str, int]
    records: Sequence[Places]

    def streams(self) -> list[str]:
        """All of which something is known."""
        return sorted({stream for record in self.records for stream in record.by_stream})

    def place(self, stream: str) -> ReadPosition | None:
        """What is known of one of them."""
        for record in self.records:
            if (found := record.by_stream.get(stream)) is not None:
                return found
        return None

    def read(self, stream: str) -> ReadUpTo:
        """Up to where the user has read it."""
        place = self.place(stream)
        return ReadUpTo() if place is None else ReadUpTo(place.read, place.n)

    def acked(self, stream: str, number: int) -> int:
        """Up to where the device of this number has it; 0: it has acknowledged nothing."""
        place = self.place(stream)
        return next((one.seq for one in place.acked if one.device == number), 0) if place else 0

    def device(self, name: str) -> Device | None:
        """A device of this name."""
        return next((one for one in self.devices if one.device == name), None)

    def delivered(self, stream: str) -> int:
        """The highest of all devices."""
        place = self.place(stream)
        return max((one.seq for one in place.acked), default=0) if place else 0


def put_together(records: Sequence[Places]) -> UserPlaces:
    """What a user's records say."""
    first = records[0] if records else Places()
    return UserPlaces(first.devices, {one.device: one.at for one in first.gone}, records)


class OfUsers(Generic[S, T]):
    """What several records say of a user, put together once and kept until one of them changes."""

    def __init__(
        self, view: View[S], key: Callable[[str, int], bytes], put: Callable[[Sequence[S]], T]
    ) -> None:
        self._view, self._key, self._put = view, key, put
        self._known: OrderedDict[bytes, T] = OrderedDict()
        #: Called with the part of the key that is the user's when something may have changed.
        self.on_change: list[Callable[[bytes], None]] = []
        view.on_forget = self._forget

    def of(self, user: str) -> T:
        """What is known of a user. Raises `unavailable` before the table is filled."""
        name = key_of(user).encode()
        found = self._known.get(name)
        if found is None:
            records: list[S] = []
            while (record := self._view.get(self._key(user, len(records)))) is not None:
                records.append(record)
            found = self._known[name] = self._put(records)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def used_by(self, used: Callable[[bytes], bool]) -> None:
        """Of users for whom this holds changes are told, however long nobody has asked."""
        self._view.still_used = lambda key: used(entity_of_pair(key))

    def _forget(self, key: bytes) -> None:
        name = entity_of_pair(key)
        self._known.pop(name, None)
        for tell in self.on_change:
            tell(name)


class Head(NamedTuple):
    """The latest event of a room's stream."""

    seq: int
    at: int


def head_of(tally: Tally | bytes) -> Head:
    """Off the beginning of a record: two thousand of them are read for one user who comes."""
    if isinstance(tally, Tally):
        return Head(tally.seq, tally.at)
    try:
        length, at = _long(tally, _HEADER)
        seq, at = _long(tally, at + length)
        return Head(seq, _long(tally, at)[0])
    except IndexError:
        return Head(0, 0)  # what no worker has written: nothing has happened there


def _long(value: bytes, at: int) -> tuple[int, int]:
    """A long as Avro has it, and where it ends."""
    number = shift = 0
    while True:
        byte = value[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number >> 1 ^ -(number & 1), at


class Inboxes:
    """What a role knows of places and tallies, by its tables on disk."""

    places: View[Places]
    tallies: View[Tally]
    of_users: OfUsers[Places, UserPlaces]

    def __init__(self, settings: Settings) -> None:
        self._places, self._tally = places_type(settings), tally_type(settings)
        self.followed = False

    @property
    def types(self) -> list[AnyType]:
        """What its tables have to have."""
        return [self._places, self._tally]

    def open(self, tables: Tables) -> None:
        """Go by these tables."""
        self.followed = True
        self.places = tables.view(self._places)
        self.tallies = tables.view(self._tally)
        self.of_users = OfUsers(self.places, places_key, put_together)

    def tally(self, channel: str) -> Tally | None:
        """What a room's stream has come to, as far as is known here."""
        return self.tallies.get(channel) if self.followed else None

    def heads(self, channels: Sequence[str]) -> dict[str, Head]:
        """How far rooms' streams are, of many at once: their tallies are not put together for that."""
        if not self.followed:
            return {}
        found = self.tallies.values([channel.encode() for channel in channels])
        return {key.decode(): head_of(value) for key, value in found.items()}

    def of_user(self, user: str) -> UserPlaces:
        """All of a user's places."""
        return self.of_users.of(user) if self.followed else put_together(())

    def devices_of(self, user: str, now_ms: int) -> list[Device]:
        """A user's devices that have a name and were there in the last 30 days, the latest first."""
        devices = self.of_user(user).devices
        named = [one for one in devices if one.device and now_ms - one.at < DAYS * DAY_MS]
        return sorted(named, key=lambda one: one.at, reverse=True)
