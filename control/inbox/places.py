"""How far users and their devices are: what lies in touchline.places, and how it rises. Pure.

Edges say once a second what rose there (touchline.acks); the owner of the user takes the maximum. Delivered
is by device, read is by user. A user may be in any number of streams, so there are records of some streams
each; devices are in the first of them, and have numbers by which the others name them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from control.entity.fold import Change, Input
from control.entity.types import pair_key
from control.rooms.users import key_of
from kernel.access.users import MAX_DEVICE, check_user
from kernel.errors import TouchlineError
from kernel.log.positions import MAX_SEQ
from kernel.log.topics import DAY_MS

#: Streams of one record, and records of one user.
MOST_STREAMS: Final = 150
MOST_RECORDS: Final = 64
#: Devices of a user: the one that is away longest goes.
MOST_DEVICES: Final = 20
#: A device that was not there for so long is gone, and what nobody has moved for so long.
DAYS: Final = 30
_MOST_GONE: Final = 50
_MAX_STREAM: Final = 140


class Device(msgspec.Struct, frozen=True):
    """A device of a user."""

    device: str
    number: int
    at: int
    #: Whether it has followed all rooms before: else it begins with the latest messages of each.
    synced: bool = False


class DeviceGone(msgspec.Struct, frozen=True):
    """A device that was signed out."""

    device: str
    at: int


class PlaceOfDevice(msgspec.Struct, frozen=True):
    """Up to where a device has a stream."""

    device: int
    seq: int


class ReadPosition(msgspec.Struct, frozen=True):
    """How far a user is in a stream."""

    stream: str
    read: int = 0
    n: int = 0
    day: int = 0
    acked: tuple[PlaceOfDevice, ...] = ()


class Places(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The value of a record in touchline.places."""

    devices: tuple[Device, ...] = ()
    gone: tuple[DeviceGone, ...] = ()
    numbers: int = 0
    streams: tuple[ReadPosition, ...] = ()
    revision: int = 0
    places: dict[str, int] = {}

    @cached_property
    def by_stream(self) -> Mapping[str, ReadPosition]:
        """The streams by their names."""
        return {one.stream: one for one in self.streams}


class AckedByDevice(msgspec.Struct, frozen=True):
    """What a device has acknowledged at an edge."""

    device: str
    acked: Mapping[str, int] = {}
    begins: bool = False


class ReadStream(msgspec.Struct, frozen=True):
    """What a user has read at an edge."""

    stream: str
    seq: int
    n: int = 0


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.acks."""

    user: str
    devices: tuple[AckedByDevice, ...] = ()
    read: tuple[ReadStream, ...] = ()
    forget: tuple[str, ...] = ()
    #: Their data were erased: nothing is known any more of their devices, nor of how far they are.
    forget_places: bool = False


def places_key(user: str, number: int) -> bytes:
    """The key of so manieth record of a user's places."""
    return pair_key(key_of(user), f"{number:04d}")


def ack_of(value: Mapping[str, Any]) -> Ack:
    """A decoded input. Raises `bad_request` for what no edge has written."""
    try:
        ack = msgspec.convert(value, Ack)
    except msgspec.ValidationError as error:
        raise TouchlineError("bad_request", f"The record says what no edge has written: {error}.") from None
    check_user(ack.user)
    seqs = [seq for device in ack.devices for seq in device.acked.values()]
    seqs += [number for one in ack.read for number in (one.seq, one.n)]
    names = [
        *(stream for device in ack.devices for stream in device.acked),
        *(one.stream for one in ack.read),
    ]
    if not all(0 <= seq <= MAX_SEQ for seq in seqs) or any(len(name) > _MAX_STREAM for name in names):
        raise TouchlineError("bad_request", "The record has places that no stream has.")
    if any(len(one.device) > MAX_DEVICE for one in ack.devices):
        raise TouchlineError("bad_request", "The record names a device that is none.")
    return ack


def of_old_cursor(value: Mapping[str, Any]) -> Ack:
    """What a record of touchline.cursors says, as edges of the first version wrote them."""
    acked = {str(stream): int(seq) for stream, seq in value["acked"].items()}
    return Ack(user=value["user"], devices=(AckedByDevice(value["device"], acked),))


StateOf = Callable[[bytes], Places | None]


def fold_places(given: Input, state: StateOf) -> Sequence[Change[Places]]:
    """What an input makes of a user's places."""
    ack = ack_of(given.value)
    if key_of(ack.user).encode() != given.key:
        raise TouchlineError("bad_request", "The record is about another user than its key says.")
    day = given.append_ms // DAY_MS
    before = list(_records(ack.user, state)) or [Places()]
    now = list(before)
    if ack.forget_places:
        now = [replace(one, devices=(), gone=(), streams=()) for one in before]
    now[0] = _devices(now[0], ack, given.append_ms)
    numbers = {one.device: one.number for one in now[0].devices}
    alive = frozenset(numbers.values())
    if alive != frozenset(one.number for one in before[0].devices):
        now = [_without(record, alive) for record in now]
    risen = _Risen(now, day)
    for device in ack.devices:
        number = numbers.get(device.device)
        if number is not None:
            for stream, seq in device.acked.items():
                risen.acked(stream, number, seq)
    for one in ack.read:
        risen.read(one)
    now = risen.records()
    changed = [n for n, record in enumerate(now) if n >= len(before) or record != before[n]]
    # The devices last: by then all that they have acknowledged is written.
    return [Change(places_key(ack.user, number), now[number]) for number in sorted(changed, reverse=True)]


def _records(user: str, state: StateOf) -> Iterable[Places]:
    for number in range(MOST_RECORDS):
        found = state(places_key(user, number))
        if found is None:
            return
        yield found


def _devices(record: Places, ack: Ack, at_ms: int) -> Places:
    """The devices with those that were there now, without those that are signed out or away for too long."""
    devices = {one.device: one for one in record.devices if at_ms - one.at < DAYS * DAY_MS}
    gone = {one.device: one for one in record.gone if at_ms - one.at < DAYS * DAY_MS}
    numbers = record.numbers
    for name in ack.forget:
        devices.pop(name, None)
        gone.pop(name, None)
        gone[name] = DeviceGone(name, at_ms)
    for one in ack.devices:
        known = devices.pop(one.device, None)
        if known is None:
            numbers += 1
            known = Device(one.device, numbers, at_ms)
        # Times are told by the minute: who is there all the time does not change the record all the time.
        late = at_ms - known.at >= 60_000
        synced = known.synced or one.begins
        devices[one.device] = replace(known, at=at_ms if late else known.at, synced=synced)
    while len(devices) > MOST_DEVICES:
        del devices[min(devices, key=lambda name: devices[name].at)]
    latest = tuple(gone.values())[-_MOST_GONE:]
    kept = tuple(sorted(devices.values(), key=lambda one: one.number))
    return replace(record, devices=kept, gone=latest, numbers=numbers)


def _without(record: Places, alive: frozenset[int]) -> Places:
    """Without the places of devices that are no more."""
    if all(one.device in alive for place in record.streams for one in place.acked):
        return record
    kept = tuple(
        replace(place, acked=tuple(one for one in place.acked if one.device in alive))
        for place in record.streams
    )
    return replace(record, streams=kept)


class _Risen:
    """A user's records while places rise."""

    def __init__(self, records: Sequence[Places], day: int) -> None:
        self._records, self._day = list(records), day
        self._at = {
            place.stream: (number, at)
            for number, record in enumerate(records)
            for at, place in enumerate(record.streams)
        }
        self._streams: dict[int, list[ReadPosition]] = {}

    def acked(self, stream: str, device: int, seq: int) -> None:
        place = self._place(stream)
        known = next((one.seq for one in place.acked if one.device == device), 0)
        if seq > known:
            rest = tuple(one for one in place.acked if one.device != device)
            self._put(replace(place, acked=(*rest, PlaceOfDevice(device, seq)), day=self._day))

    def read(self, one: ReadStream) -> None:
        place = self._place(one.stream)
        if one.seq > place.read:
            self._put(replace(place, read=one.seq, n=max(place.n, one.n), day=self._day))

    def records(self) -> list[Places]:
        for number, streams in self._streams.items():
            self._records[number] = replace(self._records[number], streams=tuple(streams))
        return self._records

    def _place(self, stream: str) -> ReadPosition:
        found = self._at.get(stream)
        if found is None:
            return ReadPosition(stream)
        number, at = found
        of_record = self._streams.get(number)
        return self._records[number].streams[at] if of_record is None else of_record[at]

    def _put(self, place: ReadPosition) -> None:
        found = self._at.get(place.stream) or self._room()
        if found is None:
            return  # more streams than anybody follows
        number, at = found
        if number not in self._streams:
            self._streams[number] = list(self._records[number].streams)
        streams = self._streams[number]
        if at < len(streams):
            self._at.pop(streams[at].stream, None)
            streams[at] = place
        else:
            streams.append(place)
        self._at[place.stream] = number, at

    def _room(self) -> tuple[int, int] | None:
        """Where a stream that is new goes: to a record with room, or in the place of one long not moved."""
        for number, record in enumerate(self._records):
            streams = self._streams.get(number, record.streams)
            if len(streams) < MOST_STREAMS:
                return number, len(streams)
            for at, place in enumerate(streams):
                if self._day - place.day > DAYS and not place.read:
                    return number, at
        if len(self._records) >= MOST_RECORDS:
            return None
        self._records.append(Places())
        return len(self._records) - 1, 0
