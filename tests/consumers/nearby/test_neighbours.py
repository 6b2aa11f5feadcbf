"""Who is told what, beside a recount of everybody with everybody, in any order of what may happen."""

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.nearby.neighbours import Neighbours, Person, Position, Watch
from control.geo.distances import metres
from control.nearby.sharing import Sharing

ACTIVE_MS = 60_000
USERS, VIEWERS, RADIUS = 6, 3, 500.0
PLACES = st.tuples(st.floats(51.5, 51.51), st.floats(-0.3, -0.29))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("move"), st.lists(st.tuples(st.integers(0, USERS - 1), PLACES), min_size=1)),
        st.tuples(st.just("go"), st.tuples(st.integers(0, VIEWERS - 1), PLACES)),
        st.tuples(st.just("share"), st.tuples(st.integers(0, USERS - 1), st.booleans())),
        st.tuples(
            st.just("friend"),
            st.tuples(st.integers(0, VIEWERS - 1), st.integers(0, USERS - 1), st.booleans()),
        ),
        st.tuples(st.just("wait"), st.integers(1, ACTIVE_MS)),
    ),
    max_size=40,
)


class Scene:
    """Some viewers with friends, and what each believes by what it was told."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.told: set[Watch] = set()
        self.board = Neighbours(ACTIVE_MS, self.told.add)
        self.people = [self.board.person(b"user-u%d" % n, f"u{n}") for n in range(USERS)]
        self.watches = [self.board.watch(f"v{n}", 51.505, -0.295, RADIUS, None) for n in range(VIEWERS)]
        self.where: dict[int, tuple[float, float]] = dict.fromkeys(range(VIEWERS), (51.505, -0.295))
        self.friends: set[tuple[int, int]] = set()
        self.seen: list[dict[str, tuple[float, float, float]]] = [{} for _ in range(VIEWERS)]
        self.seq = 0
        for person in self.people:
            person.sharing = Sharing(user=person.user, on=True)

    def move(self, moves: list[tuple[int, tuple[float, float]]]) -> None:
        for number, (lat, lon) in moves:
            self.seq += 1
            self.board.place(self.people[number], Position(lat, lon, "now", self.now, self.seq), self.now)
        self.board.look({self.people[number]: None for number, _ in moves})

    def go(self, move: tuple[int, tuple[float, float]]) -> None:
        self.where[move[0]] = move[1]
        self.board.go(self.watches[move[0]], *move[1])
        self.board.look((), [self.watches[move[0]]])

    def share(self, what: tuple[int, bool]) -> None:
        person = self.people[what[0]]
        forgotten = person.sharing.forgotten if person.sharing else 0
        person.sharing = Sharing(user=person.user, on=what[1], forgotten=forgotten if what[1] else self.now)
        self.board.settle(person, self.now)
        self.board.look([person], reason="stopped")

    def friend(self, what: tuple[int, int, bool]) -> None:
        watch, person = self.watches[what[0]], self.people[what[1]]
        if what[2]:
            self.friends.add(what[:2])
            self.board.link(watch, person)
            self.board.look_at(watch, person)
        else:
            self.friends.discard(what[:2])
            self.board.unlink(watch, person, "unfriended")

    def wait(self, ms: int) -> None:
        self.now += ms
        self.board.expire(self.now)

    def hear(self) -> None:
        """What was told since: each viewer goes by it."""
        for number, watch in enumerate(self.watches):
            for payload in watch.pending.values():
                said: dict[str, Any] = json.loads(payload)
                if said["op"] == "near":
                    self.seen[number][said["user"]] = (said["distance_m"], said["lat"], said["lon"])
                else:
                    assert said["op"] == "away"
                    del self.seen[number][said["user"]]
            watch.pending.clear()

    def near(self, number: int) -> dict[str, tuple[float, float, float]]:
        """Whom a viewer has near, by a recount."""
        found = {}
        for other, person in enumerate(self.people):
            if (number, other) in self.friends and self.visible(person):
                place = person.position
                assert place is not None
                way = float(metres(*self.where[number], place.lat, place.lon))
                if way <= RADIUS:
                    found[person.user] = (round(way, 1), place.lat, place.lon)
        return found

    def visible(self, person: Person) -> bool:
        place, sharing = person.position, person.sharing
        assert sharing is not None
        return place is not None and sharing.shows(place.came_ms) and place.came_ms > self.now - ACTIVE_MS


@settings(deadline=None, max_examples=150)
@given(STEPS)
def test_what_viewers_are_told_is_what_is_so(steps: list[tuple[str, Any]]) -> None:
    scene = Scene()
    for what, how in steps:
        getattr(scene, what)(how)
        scene.hear()
        for number in range(VIEWERS):
            wanted, seen = scene.near(number), scene.seen[number]
            assert seen.keys() == wanted.keys()
            for user, place in wanted.items():
                assert math.isclose(seen[user][0], place[0], abs_tol=0.11)
                assert seen[user][1:] == place[1:]
            nearest = scene.board.nearest(scene.watches[number])
            assert [p.user for p in nearest] == sorted(wanted, key=lambda u: distance(scene, number, u))


def distance(scene: Scene, number: int, user: str) -> float:
    place = scene.people[int(user[1:])].position
    assert place is not None
    return float(metres(*scene.where[number], place.lat, place.lon))


def test_reasons_are_told() -> None:
    scene = Scene()
    scene.friend((0, 1, True))
    here = (51.505, -0.295)

    def away() -> str:
        (payload,) = scene.watches[0].pending.values()
        said = json.loads(payload)
        scene.hear()
        return str(said.get("reason"))

    scene.move([(1, here)])
    scene.hear()
    scene.move([(1, (52.0, 0.0))])
    assert away() == "left"
    scene.move([(1, here)])
    scene.hear()
    scene.wait(ACTIVE_MS)
    assert away() == "inactive"
    scene.move([(1, here)])
    scene.hear()
    scene.now += 1
    scene.share((1, False))
    assert away() == "stopped"
    scene.share((1, True))
    scene.now += 1
    scene.move([(1, here)])
    scene.hear()
    scene.friend((0, 1, False))
    assert away() == "unfriended"


def test_slots_are_used_again_and_nobody_is_taken_for_another() -> None:
    scene = Scene()
    for _ in range(100):
        watch = scene.board.watch("v9", 51.505, -0.295, RADIUS, None)
        person = scene.board.person(b"user-x", "x")
        person.sharing = Sharing(user="x", on=True)
        scene.board.link(watch, person)
        scene.seq += 1
        scene.board.place(person, Position(51.505, -0.295, "now", scene.now, scene.seq), scene.now)
        scene.board.look([person])
        assert len(watch.pending) == 1
        assert scene.board.leave(watch) == [person]
        scene.board.drop(person)
    assert scene.near(0) == {}
    assert scene.board.nearest(scene.watches[0]) == []
