"""What devices acknowledge and users read at this edge, sent on as one record a user and second: what rose.

It holds at once here, and everywhere once the user's owner has folded it (`control.inbox.places`). What was
not sent when an edge dies was not acknowledged: it comes again.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from control.inbox.places import Ack, AckedByDevice, ReadStream
from control.inbox.tables import Inboxes
from control.inbox.unread import ReadUpTo
from control.rooms.users import key_of
from kernel.clock import Clock
from kernel.errors import TouchlineError
from schemas.codec import Codec

#: All that is held, whatever viewers do: some hundred bytes each.
MAX_PLACES: Final = 200_000
#: How often one user's record goes out, and how long the first one waits for others beside it.
EVERY_S: Final = 1.0
SOON_S: Final = 0.01
_LOOK_S: Final = 0.04
#: Streams of one record: with the longest names it is well below what a record may be.
_MOST_STREAMS: Final = 1000


class _Rising:
    """One user's: the highest that was said here, and which of it has to be sent."""

    __slots__ = ("acked", "begins", "erased", "gone", "read", "seen", "sent_at", "to_send", "to_send_read")

    def __init__(self, gone: Mapping[str, int], erased: int) -> None:
        #: When devices were signed out, and up to when the user's data were erased, as all of this came.
        self.gone, self.erased = gone, erased
        self.acked: dict[str, dict[str, int]] = {}
        self.read: dict[str, ReadUpTo] = {}
        self.to_send: dict[str, dict[str, None]] = {}
        self.to_send_read: dict[str, None] = {}
        self.seen: set[str] = set()
        self.begins: set[str] = set()
        self.sent_at = float("-inf")

    @property
    def due(self) -> bool:
        return bool(self.to_send or self.to_send_read or self.seen or self.begins)

    @property
    def size(self) -> int:
        return 1 + len(self.read) + sum(map(len, self.acked.values()))


class PlaceBook:
    """The places of an edge's users."""

    def __init__(
        self,
        clock: Clock,
        codec: Codec,
        write: Callable[[str, bytes], None],
        inboxes: Inboxes,
        erased_at: Callable[[str], int] = lambda _: 0,
    ) -> None:
        """`erased_at` says of a user up to when their data were erased."""
        self._clock, self._codec, self._write, self._inboxes = clock, codec, write, inboxes
        self._erased_at = erased_at
        self._users: OrderedDict[str, _Rising] = OrderedDict()
        #: By the part of records' keys that is theirs.
        self._names: dict[bytes, str] = {}
        self._size = 0
        #: Those with something to send, in the order in which they came.
        self._due: dict[str, None] = {}
        self._woken = asyncio.Event()
        #: Called with user, stream and whether it was read when a place has risen here.
        self.on_risen: list[Callable[[str, str, bool], None]] = []

    # ── what is said here ────────────────────────────────────────────────────────────────────────────

    def acked(self, user: str, device: str, stream: str, seq: int) -> None:
        """This device has everything of a stream up to here."""
        of_user = self._of(user)
        of_device = of_user.acked.setdefault(device, {})
        before = of_device.get(stream, 0)
        if seq <= before:
            return
        self._size += not before
        of_device[stream] = seq
        of_user.to_send.setdefault(device, {})[stream] = None
        self._note(user)
        for tell in self.on_risen:
            tell(user, stream, False)

    def read(self, user: str, device: str, stream: str, upto: ReadUpTo) -> None:
        """The user has read a stream up to here."""
        of_user = self._of(user)
        before = of_user.read.get(stream)
        if before is not None and upto.seq <= before.seq:
            return
        self._size += before is None
        of_user.read[stream] = upto
        of_user.to_send_read[stream] = None
        of_user.seen.add(device)
        self._note(user)
        for tell in self.on_risen:
            tell(user, stream, True)

    def seen(self, user: str, device: str) -> None:
        """A device is there."""
        self._of(user).seen.add(device)
        self._note(user)

    def begins(self, user: str, device: str, places: Mapping[str, int]) -> None:
        """A device follows all rooms for the first time, from these places on."""
        of_user = self._of(user)
        of_user.begins.add(device)
        for stream, seq in places.items():
            self.acked(user, device, stream, seq)
        self._note(user)

    # ── what is forgotten ────────────────────────────────────────────────────────────────────────────

    def has(self, name: bytes) -> bool:
        """Whether a user has places here, by the part of records' keys that is theirs."""
        return name in self._names

    def changed(self, name: bytes) -> None:
        """Records of a user are other ones. What devices said that were signed out is nothing any more,
        whether they are here or away."""
        user = self._names.get(name)
        of_user = None if user is None else self._held(user)
        if user is None or of_user is None:
            return
        before, of_user.gone = of_user.gone, self._inboxes.of_user(user).gone
        for device, at in of_user.gone.items():
            if at > before.get(device, 0):
                self.forget(user, device)

    def forget(self, user: str, device: str) -> None:
        """A device was signed out: what it said last is nothing any more."""
        of_user = self._users.get(user)
        if of_user is not None:
            self._size -= len(of_user.acked.pop(device, {}))
            of_user.to_send.pop(device, None)
            of_user.seen.discard(device)
            of_user.begins.discard(device)

    def _held(self, user: str) -> _Rising | None:
        """What is held of a user; of one whose data were erased, nothing from before that."""
        found = self._users.get(user)
        if found is None or self._erased_at(user) <= found.erased:
            return found
        self._due.pop(user, None)
        self._drop(user, found)
        return None

    def _drop(self, user: str, of_user: _Rising) -> None:
        del self._users[user], self._names[key_of(user).encode()]
        self._size -= of_user.size

    # ── what holds ───────────────────────────────────────────────────────────────────────────────────

    def place(self, user: str, device: str, stream: str) -> int | None:
        """Up to where a device has a stream, here or elsewhere; None: it has acknowledged nothing of it."""
        return next(self.places(user, device, [stream]))

    def places(self, user: str, device: str, streams: Iterable[str]) -> Iterator[int | None]:
        """The same of many streams, as it is at this moment."""
        of_user = self._held(user)
        here = {} if of_user is None else of_user.acked.get(device, {})
        known = self._inboxes.of_user(user)
        found = known.device(device)
        for stream in streams:
            there = 0 if found is None else known.acked(stream, found.number)
            yield max(here.get(stream, 0), there) or None

    def synced(self, user: str, device: str) -> bool:
        """Whether a device has followed all rooms before."""
        of_user = self._held(user)
        found = self._inboxes.of_user(user).device(device)
        return (of_user is not None and device in of_user.begins) or (found is not None and found.synced)

    def known_as(self, user: str, device: str) -> tuple[object, ...]:
        """What a device is here: another one once it was signed out, or its user's data were erased."""
        known = self._inboxes.of_user(user)
        found = known.device(device)
        number = None if found is None else found.number
        return number, known.gone.get(device, 0), self._erased_at(user)

    def read_upto(self, user: str, stream: str) -> ReadUpTo:
        """Up to where a user has read a stream."""
        of_user = self._held(user)
        here = ReadUpTo() if of_user is None else of_user.read.get(stream, ReadUpTo())
        there = self._inboxes.of_user(user).read(stream)
        return here if here.seq > there.seq else there

    def delivered(self, user: str, stream: str) -> int:
        """The highest place of all devices of a user."""
        of_user = self._held(user)
        here = 0
        if of_user is not None:
            here = max((places.get(stream, 0) for places in of_user.acked.values()), default=0)
        return max(here, self._inboxes.of_user(user).delivered(stream))

    # ── sending it on ────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Send it on: a user's first word at once, and once a second from then on."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(SOON_S)
            self.flush()
            if self._due:  # of users whose second is not over
                await asyncio.sleep(_LOOK_S)

    def flush(self, *, all_of_it: bool = False) -> None:
        """Send what is due; what does not go into a full queue goes the next time."""
        now = self._clock.monotonic()
        for user in list(self._due):
            of_user = self._users[user]
            if not all_of_it and now - of_user.sent_at < EVERY_S:
                continue
            try:
                self._send(user, of_user)
            except TouchlineError:
                return
            of_user.sent_at = now
            if not of_user.due:
                del self._due[user]
        if not self._due:
            self._woken.clear()

    def _send(self, user: str, of_user: _Rising) -> None:
        devices, left = [], _MOST_STREAMS
        sent: dict[str, list[str]] = {}
        for device in dict.fromkeys((*of_user.to_send, *of_user.seen, *of_user.begins)):
            streams = sent[device] = list(of_user.to_send.get(device, ()))[:left]
            left -= len(streams)
            acked = {stream: of_user.acked[device][stream] for stream in streams}
            whole = len(streams) == len(of_user.to_send.get(device, ()))
            devices.append(AckedByDevice(device, acked, begins=device in of_user.begins and whole))
        read = [
            ReadStream(stream, *of_user.read[stream]) for stream in list(of_user.to_send_read)[:_MOST_STREAMS]
        ]
        ack = Ack(user=user, devices=tuple(devices), read=tuple(read))
        self._write(key_of(user), self._codec.encode(msgspec.to_builtins(ack)))
        for device, streams in sent.items():
            of_device = of_user.to_send.get(device, {})
            for stream in streams:
                del of_device[stream]
            if not of_device:
                of_user.to_send.pop(device, None)
                of_user.begins.discard(device)
        for one in read:
            del of_user.to_send_read[one.stream]
        of_user.seen.clear()

    def _of(self, user: str) -> _Rising:
        found = self._held(user)
        if found is None:
            gone = self._inboxes.of_user(user).gone
            found = self._users[user] = _Rising(gone, self._erased_at(user))
            self._names[key_of(user).encode()] = user
            self._size += 1
        self._users.move_to_end(user)
        return found

    def _note(self, user: str) -> None:
        self._due[user] = None
        self._woken.set()
        while self._size > MAX_PLACES and len(self._users) > 1:
            eldest, of_user = next(iter(self._users.items()))
            self._drop(eldest, of_user)
            if self._due.pop(eldest, False) is None and of_user.due:
                with contextlib.suppress(TouchlineError):  # their next word makes up for it
                    self._send(eldest, of_user)
