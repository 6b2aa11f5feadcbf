"""Who looks, whom they may see, and what they are told: positions and consent on their way to viewers.

Consent is decided here, at delivery: by what the tables say at the moment in which something is shown.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

import msgspec

from consumers.delivery.records import Decode, UnreadableRecord
from consumers.nearby.neighbours import Neighbours, Person, Position, Watch
from consumers.nearby.positions import Positions
from consumers.nearby.strangers import Crowd
from consumers.transport.frames import text_frame
from control.entity.types import PAIR
from control.nearby.consent import AT_ONCE, Consent
from control.nearby.friends import Friend
from control.nearby.sharing import Sharing
from control.nearby.table import PUBLIC
from kernel.access.users import USER, name_in_channel
from kernel.clock import Clock
from kernel.process.logs import get_logger
from kernel.settings.reading import Nearby

_log = get_logger("touchline.nearby")
#: While much is told, what comes in this time goes out as one write: half of it is the wait at the median.
_TICK_S: Final = 0.1
#: The rest after a round of writes is so many times as long as the round.
_REST: Final = 3.0
_SWEEP_S: Final = 1.0
_CROWD_MS: Final = 3000
_NOTHING: Final[Mapping[bytes, Sharing]] = MappingProxyType({})


class Holder(Protocol):
    """Whose connection it is."""

    @property
    def paused(self) -> bool: ...

    @property
    def closing(self) -> bool: ...

    def write(self, data: bytes, /) -> object: ...


class _Place(msgspec.Struct):
    lat: float
    lon: float


class _Body(msgspec.Struct):
    server_ts: str
    data: _Place
    client_ts: str | None = None


_body: Final = msgspec.json.Decoder(_Body).decode


class Looking:
    """All who look on this edge."""

    def __init__(
        self,
        settings: Nearby,
        clock: Clock,
        consent: Consent,
        positions: Positions,
        decode: Decode,
        *,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        """`now_ms` is the brokers' time, by which positions came: this machine's clock may be hours off."""
        self._clock, self._consent, self.positions, self._decode = clock, consent, positions, decode
        self._now_ms = now_ms or clock.now_ms
        self.neighbours = Neighbours(round(settings.inactive_s * 1000), self._tell)
        self.crowd = Crowd(settings.public_cell_m)
        self._people: dict[bytes, Person] = {}
        #: Viewers who look, by their own channel, and by their connection.
        self._own: dict[bytes, list[Watch]] = {}
        self._by_holder: dict[Holder, Watch] = {}
        self._due: set[Watch] = set()
        self._flushing: asyncio.TimerHandle | None = None
        self._rest_s = 0.0
        self._crowd_at_ms = 0
        positions.heard = self._heard
        if consent.followed:
            consent.sharing.watch_all(self._sharing_changed)

    # ── viewers ──────────────────────────────────────────────────────────────────────────────────────

    def watch_of(self, holder: Holder) -> Watch | None:
        """What a connection looks at."""
        return self._by_holder.get(holder)

    async def look(self, user: str, holder: Holder, lat: float, lon: float, radius_m: float) -> list[Person]:
        """A viewer looks from there; the friends who are near, nearest first. Raises `unavailable`."""
        self.stop(holder)
        first = self._consent.friends_of(user)  # it is known then whether the tables can be asked
        watch = self.neighbours.watch(user, lat, lon, radius_m, holder)
        self._by_holder[holder] = watch
        own = _channel(name_in_channel(user))
        self._own.setdefault(own, []).append(watch)
        self.positions.wanted.add(own)
        self._consent.friends.watch_pairs(name_in_channel(user), self._friend_changed)
        page = first
        while page and self._by_holder.get(holder) is watch:
            consent = self._consent_of(page)
            for key, friend in page:
                self._link(watch, key, friend, consent)
            if len(page) < AT_ONCE:
                break
            await asyncio.sleep(0)  # who has thousands holds up nobody for long
            page = self._consent.friends_of(user, after=page[-1][0])
        found = self.neighbours.nearest(watch) if self._by_holder.get(holder) is watch else []
        watch.pending.clear()
        self._due.discard(watch)
        watch.open = True
        return found

    def stop(self, holder: Holder) -> None:
        """A viewer looks no more, or is gone."""
        watch = self._by_holder.pop(holder, None)
        if watch is None:
            return
        self._due.discard(watch)
        name = name_in_channel(watch.user)
        self._consent.friends.unwatch_pairs(name, self._friend_changed)
        own = self._own[_channel(name)]
        own.remove(watch)
        if not own:
            del self._own[_channel(name)]
        for person in self.neighbours.leave(watch):
            self._let_go(person)
        self._settle_wanted(_channel(name))

    def sweep(self) -> None:
        """Time has passed."""
        now_ms = self._now_ms()
        self.neighbours.expire(now_ms)
        if now_ms >= self._crowd_at_ms:  # there may be many of them
            self._crowd_at_ms = now_ms + _CROWD_MS
            self.crowd.expire(now_ms - self.neighbours.active_ms)
        self._flush_soon()

    async def sweep_forever(self) -> None:
        """Every second."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            try:
                self.sweep()
            except Exception:  # of one look: the edge goes on, and looks again
                _log.exception("who is near could not be looked at")

    # ── public people ────────────────────────────────────────────────────────────────────────────────

    def tables_read(self) -> None:
        """What was known at the start is: whoever is public is to be found."""
        if self._consent.followed:
            for key, sharing in self._consent.sharing.listed(PUBLIC):
                self._sharing_changed(key, sharing)

    # ── positions ────────────────────────────────────────────────────────────────────────────────────

    def _heard(self, found: dict[bytes, bytes]) -> None:
        people: list[Person] = []
        watches: list[Watch] = []
        for channel, raw in found.items():
            position = self._read(raw)
            if position is None:
                continue
            for watch in self._own.get(channel, ()):
                if position.seq > watch.seq:
                    watch.seq = position.seq
                    self.neighbours.go(watch, position.lat, position.lon)
                    watches.append(watch)
            person = self._people.get(channel)
            if person is not None and self._place(person, position):
                people.append(person)
        self.neighbours.look(people, watches)
        self._flush_soon()

    def _read(self, raw: bytes) -> Position | None:
        try:
            record = self._decode(raw)
            body = _body(record.body)
        except (UnreadableRecord, msgspec.MsgspecError) as error:
            _log.warning("a position cannot be read", why=str(error)[:200])
            return None
        at = body.client_ts or body.server_ts
        return Position(body.data.lat, body.data.lon, at, record.server_ts, record.seq)

    def _place(self, person: Person, position: Position) -> bool:
        """Whether it is news."""
        if person.position is not None and position.seq <= person.position.seq:
            return False
        if person.sharing is None:
            person.sharing = self._consent.sharing_of_name(person.channel[len(USER) :], person.user)
        self.neighbours.place(person, position, self._now_ms())
        self.crowd.settle(person)
        return True

    # ── consent ──────────────────────────────────────────────────────────────────────────────────────

    def _consent_of(self, friends: Iterable[tuple[bytes, Friend]]) -> Mapping[bytes, Sharing]:
        """What those agree to who are somewhere, and are not known here yet: read at once."""
        names = [key.partition(PAIR)[2] for key, _ in friends]
        channels = {_channel(name): name for name in names}
        new = [n for c, n in channels.items() if c not in self._people and self.positions.get(c) is not None]
        return self._consent.sharing_of_names(new) if new else {}

    def _link(
        self, watch: Watch, key: bytes, friend: Friend, consent: Mapping[bytes, Sharing] = _NOTHING
    ) -> Person | None:
        if friend.state != "friends":
            return None
        name = key.partition(PAIR)[2]
        person = self._known(_channel(name), friend.friend, consent.get(name))
        self.neighbours.link(watch, person)
        return person

    def _known(self, channel: bytes, user: str, sharing: Sharing | None = None) -> Person:
        """Somebody who concerns a viewer from now on, with their latest position."""
        person = self._people.get(channel)
        if person is None:
            person = self._people[channel] = self.neighbours.person(channel, user)
            person.sharing = sharing
            self.positions.wanted.add(channel)
            raw = self.positions.get(channel)
            position = None if raw is None else self._read(raw)
            if position is not None:
                self._place(person, position)
        return person

    def _friend_changed(self, key: bytes, friend: Friend | None) -> None:
        mine, _, other = key.partition(PAIR)
        channel = _channel(other)
        for watch in self._own.get(_channel(mine), ()):
            if friend is not None and friend.state == "friends":
                person = self._link(watch, key, friend)
                if person is not None:
                    self.neighbours.look_at(watch, person)
            elif (known := self._people.get(channel)) is not None:
                self.neighbours.unlink(watch, known, "unfriended")
                self._let_go(known)
        self._flush_soon()

    def _sharing_changed(self, key: bytes, sharing: Sharing | None) -> None:
        channel = _channel(key)
        if sharing is not None and not sharing.on:
            self.positions.forget(channel)
        person = self._people.get(channel)
        if person is None:
            if sharing is None or not sharing.seen_by_all:
                return
            person = self._known(channel, sharing.user)
        person.sharing = sharing or Sharing(user=person.user)
        self.neighbours.settle(person, self._now_ms())
        self.neighbours.look([person], reason="stopped")
        self.crowd.settle(person)
        self._let_go(person)
        self._flush_soon()

    def _let_go(self, person: Person) -> None:
        """Unless somebody here has them for a friend, or anybody may see them."""
        public = person.sharing is not None and person.sharing.seen_by_all
        if person.alone and not public and self._people.pop(person.channel, None) is not None:
            self.crowd.drop(person)
            self.neighbours.drop(person)
            self._settle_wanted(person.channel)

    def _settle_wanted(self, channel: bytes) -> None:
        if channel not in self._people and channel not in self._own:
            self.positions.wanted.discard(channel)

    # ── what is told ─────────────────────────────────────────────────────────────────────────────────

    def _tell(self, watch: Watch) -> None:
        self._due.add(watch)

    def _flush_soon(self) -> None:
        if self._due and self._flushing is None:
            loop = asyncio.get_running_loop()
            self._flushing = loop.call_later(min(_TICK_S, self._rest_s), self._flush)

    def _flush(self) -> None:
        self._flushing = None
        began = self._clock.monotonic()
        self.write_all()
        self._rest_s = _REST * (self._clock.monotonic() - began)

    def write_all(self) -> None:
        """Tell what is pending. Who does not take it now is told later, and then what is so then."""
        for watch in list(self._due):
            if not watch.open or watch.holder.paused:
                continue
            self._due.discard(watch)
            if watch.pending and not watch.holder.closing:
                watch.holder.write(b"".join(map(text_frame, watch.pending.values())))
            watch.pending.clear()


def _channel(name: bytes | str) -> bytes:
    return USER.encode() + (name if isinstance(name, bytes) else name.encode())
