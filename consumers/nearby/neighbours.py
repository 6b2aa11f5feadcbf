"""Who is near whom, of this edge's viewers and their friends: arrays, and what has to be told. No I/O.

Each viewer who looks (a `Watch`) has a place and a radius, each friend (a `Person`) a place; between them is
a pair. A move concerns the pairs of whoever moved: their distances are had in one go, for all of a round.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from control.geo.columns import Columns
from control.geo.distances import metres
from control.nearby.sharing import Sharing

Reason = Literal["left", "inactive", "unfriended", "stopped"]
Pairs = npt.NDArray[np.int64]

_json: Final = msgspec.json.Encoder().encode
_NONE: Final = np.zeros(0, np.int64)


class Position(NamedTuple):
    """Where somebody is: when they were (as they say), and when that came (append time)."""

    lat: float
    lon: float
    at: str
    came_ms: int
    seq: int


class Person:
    """Somebody whose position concerns a viewer here."""

    __slots__ = ("_array", "_pairs", "channel", "head", "position", "sharing", "slot", "tail", "user")

    def __init__(self, slot: int, channel: bytes, user: str) -> None:
        self.slot, self.channel, self.user = slot, channel, user
        self.position: Position | None = None
        #: None: it was not asked for yet.
        self.sharing: Sharing | None = None
        #: What all who are told of them get, around the distance.
        self.head = b'{"op":"near","user":%b,"distance_m":' % _json(user)
        self.tail = b""
        self._pairs: set[int] = set()
        self._array: Pairs | None = None

    @property
    def pairs(self) -> Pairs:
        """Those with viewers here."""
        if self._array is None:
            self._array = np.fromiter(self._pairs, np.int64, len(self._pairs))
        return self._array

    @property
    def alone(self) -> bool:
        """Whether there are none."""
        return not self._pairs

    def add(self, pair: int) -> None:
        self._pairs.add(pair)
        self._array = None

    def remove(self, pair: int) -> None:
        self._pairs.discard(pair)
        self._array = None

    def move(self, position: Position) -> None:
        self.position = position
        self.tail = b',"lat":%b,"lon":%b,"at":%b}' % (
            *(_json(position.lat), _json(position.lon), _json(position.at)),
        )


class Watch:
    """A viewer who looks."""

    __slots__ = ("_array", "holder", "listed", "open", "pairs", "pending", "seq", "serial", "slot", "user")

    def __init__(self, slot: int, user: str, holder: Any, serial: int) -> None:
        self.slot, self.user, self.holder, self.serial = slot, user, holder, serial
        #: Friend -> the pair with them.
        self.pairs: dict[Person, int] = {}
        self._array: Pairs | None = None
        #: What is to be told of whom: the latest counts.
        self.pending: dict[bytes, bytes] = {}
        #: Whether pushes may go out: the first page goes before them.
        self.open = False
        #: The rest of the first page's list.
        self.listed: list[Person] = []
        self.seq = 0

    @property
    def array(self) -> Pairs:
        if self._array is None:
            self._array = np.fromiter(self.pairs.values(), np.int64, len(self.pairs))
        return self._array

    def changed(self) -> None:
        self._array = None


class Neighbours:
    """All of them. `tell(watch)` is called when something is pending that was not before."""

    def __init__(self, active_ms: int, tell: Callable[[Watch], None]) -> None:
        self.active_ms, self._tell = active_ms, tell
        self._people = Columns(lat=np.float64, lon=np.float64, came=np.int64, shown=np.bool_)
        self._watches = Columns(lat=np.float64, lon=np.float64, radius=np.float64)
        self._pairs = Columns(watch=np.int64, person=np.int64, near=np.bool_)
        self._person_of: dict[int, Person] = {}
        self._watch_of: dict[int, Watch] = {}
        self._serial = 0
        #: Pairs that were looked at.
        self.evaluated = 0

    # ── who there is ─────────────────────────────────────────────────────────────────────────────────

    def person(self, channel: bytes, user: str) -> Person:
        """Somebody new."""
        slot = self._people.take()
        found = self._person_of[slot] = Person(slot, channel, user)
        return found

    def drop(self, person: Person) -> None:
        """They concern nobody any more."""
        del self._person_of[person.slot]
        self._people.give_back(person.slot)

    def watch(self, user: str, lat: float, lon: float, radius_m: float, holder: Any) -> Watch:
        """Somebody looks, from there."""
        slot = self._watches.take()
        self._serial += 1
        found = self._watch_of[slot] = Watch(slot, user, holder, self._serial)
        self.go(found, lat, lon)
        self._watches.of["radius"][slot] = radius_m
        return found

    def leave(self, watch: Watch) -> list[Person]:
        """They look no more. Returns whom they had for friends."""
        people = list(watch.pairs)
        for person in people:
            self.unlink(watch, person, None)
        del self._watch_of[watch.slot]
        self._watches.give_back(watch.slot)
        watch.open = False
        return people

    def link(self, watch: Watch, person: Person) -> None:
        """They are friends."""
        if person in watch.pairs:
            return
        pair = self._pairs.take()
        self._pairs.of["watch"][pair] = watch.slot
        self._pairs.of["person"][pair] = person.slot
        watch.pairs[person] = pair
        watch.changed()
        person.add(pair)

    def unlink(self, watch: Watch, person: Person, reason: Reason | None) -> None:
        """They are none any more."""
        pair = watch.pairs.pop(person, None)
        if pair is None:
            return
        if reason is not None and self._pairs.of["near"][pair]:
            self._away(watch, person, reason)
        watch.changed()
        person.remove(pair)
        self._pairs.give_back(pair)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────

    def go(self, watch: Watch, lat: float, lon: float) -> None:
        """The viewer is there now."""
        self._watches.of["lat"][watch.slot], self._watches.of["lon"][watch.slot] = lat, lon

    def place(self, person: Person, position: Position, now_ms: int) -> None:
        """A person is there now; `look` says whom it concerns."""
        person.move(position)
        people = self._people.of
        people["lat"][person.slot], people["lon"][person.slot] = position.lat, position.lon
        people["came"][person.slot] = position.came_ms
        self.settle(person, now_ms)

    def settle(self, person: Person, now_ms: int) -> bool:
        """Whether a person is shown to friends: by consent, and as long as they are active."""
        position, sharing = person.position, person.sharing
        shown = (
            position is not None
            and sharing is not None
            and sharing.shows(position.came_ms)
            and position.came_ms > now_ms - self.active_ms
        )
        self._people.of["shown"][person.slot] = shown
        return shown

    def look(self, people: Iterable[Person], watches: Iterable[Watch] = (), reason: Reason = "left") -> None:
        """These have moved, or are shown no more, by this reason: tell whom it concerns."""
        arrays = [person.pairs for person in people]
        arrays += [watch.array for watch in watches]
        self._look(np.concatenate(arrays) if arrays else _NONE, reason)

    def _look(self, pairs: Pairs, reason: Reason) -> None:
        if not len(pairs):
            return
        of = self._pairs.of
        distance = self._distances(pairs)
        inside = self._inside(pairs, distance)
        gone = np.nonzero(of["near"][pairs] & ~inside)[0]
        of["near"][pairs] = inside
        for at in gone.tolist():
            self._away(*self._ends(pairs[at]), reason)
        there = np.nonzero(inside)[0]
        watch_of, person_of = self._watch_of, self._person_of
        near = pairs[there]
        for watch_slot, person_slot, far in zip(
            *(of["watch"][near].tolist(), of["person"][near].tolist(), distance[there].tolist()), strict=True
        ):
            person = person_of[person_slot]
            self._say(watch_of[watch_slot], person, b"%b%.1f%b" % (person.head, far, person.tail))

    def look_at(self, watch: Watch, person: Person) -> None:
        """These two are friends now."""
        self._look(np.array([watch.pairs[person]]), "left")

    def expire(self, now_ms: int) -> int:
        """Who has said nothing for too long is shown no more. Returns how many that are."""
        people = self._people.of
        late = people["shown"] & (people["came"] <= now_ms - self.active_ms)
        gone = [self._person_of[slot] for slot in np.nonzero(late)[0].tolist()]
        for person in gone:
            people["shown"][person.slot] = False
        self.look(gone, reason="inactive")
        return len(gone)

    def nearest(self, watch: Watch) -> list[Person]:
        """The friends who are near now, nearest first; from here on it is told who goes."""
        pairs = watch.array
        distance = self._distances(pairs)
        inside = self._inside(pairs, distance)
        self._pairs.of["near"][pairs] = inside
        there = np.nonzero(inside)[0]
        order = there[np.argsort(distance[there], kind="stable")]
        people: list[int] = self._pairs.of["person"][pairs[order]].tolist()
        return [self._person_of[slot] for slot in people]

    def distance(self, watch: Watch, person: Person) -> float | None:
        """How far a friend is who is near; None: they are not, any more."""
        pair = watch.pairs.get(person)
        if pair is None or not self._pairs.of["near"][pair]:
            return None
        return float(self._distances(np.array([pair]))[0])

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────

    def _distances(self, pairs: Pairs) -> npt.NDArray[np.float64]:
        self.evaluated += len(pairs)
        watch, person = self._pairs.of["watch"][pairs], self._pairs.of["person"][pairs]
        here, there = self._watches.of, self._people.of
        return metres(here["lat"][watch], here["lon"][watch], there["lat"][person], there["lon"][person])

    def _inside(self, pairs: Pairs, distance: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        watch, person = self._pairs.of["watch"][pairs], self._pairs.of["person"][pairs]
        inside: npt.NDArray[np.bool_] = self._people.of["shown"][person]
        inside &= distance <= self._watches.of["radius"][watch]
        return inside

    def _ends(self, pair: int) -> tuple[Watch, Person]:
        of = self._pairs.of
        return self._watch_of[int(of["watch"][pair])], self._person_of[int(of["person"][pair])]

    def _away(self, watch: Watch, person: Person, reason: Reason) -> None:
        said = b'{"op":"away","user":%b,"reason":"%b"}' % (_json(person.user), reason.encode())
        self._say(watch, person, said)

    def _say(self, watch: Watch, person: Person, payload: bytes) -> None:
        pending = watch.pending
        if not pending:
            self._tell(watch)
        # Who came and went in one moment is told of once, and last of what is so now.
        pending.pop(person.channel, None)
        pending[person.channel] = payload
