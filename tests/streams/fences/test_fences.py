"""Which fences a place is in: beside a look at each of them; and who is told to have come and gone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from control.nearby.fences import Fence, FenceRequest, read_fence
from control.nearby.inside import Inside
from control.places.cells import Grid
from control.places.distances import metres
from kernel.errors import TouchlineError
from streams.fences.crossings import crossings
from streams.fences.index import FenceIndex
from streams.fences.shapes import Polygon
from streams.fold.checks.moves import Moved

HYSTERESIS = 20.0
CELLS = Grid(1000.0)


def circles(number: int, seed: int) -> list[Fence]:
    random = np.random.default_rng(seed)
    made = []
    for n in range(number):
        lat = float(random.choice([random.uniform(-90, 90), random.uniform(88, 90), random.uniform(51, 52)]))
        lon = float(random.choice([random.uniform(-180, 180), random.uniform(179.9, 180), -random.random()]))
        radius = float(10 ** random.uniform(1, 5.5))
        made.append(Fence(id=f"f{n}", lat=lat, lon=lon, radius_m=radius))
    return made


@pytest.mark.parametrize("seed", range(5))
def test_no_fence_is_missed_and_none_is_made_up(seed: int) -> None:
    fences = circles(400, seed)
    index = FenceIndex(HYSTERESIS)
    index.load(fences[:300])
    for fence in fences[300:]:
        index.put(fence)
    for fence in fences[:50]:
        index.remove(fence.id)
    there = fences[50:]
    random = np.random.default_rng(seed)
    lat = np.concatenate(
        [random.uniform(-90, 90, 300), random.uniform(51, 52, 300), random.uniform(88, 90, 100)]
    )
    lon = np.concatenate(
        [random.uniform(-180, 180, 300), random.uniform(-1, 0, 200), random.uniform(-180, 180, 200)]
    )
    lat, lon = np.append(lat, [f.lat for f in there]), np.append(lon, [f.lon for f in there])
    near = index.near(lat, lon)
    found = {(int(p), index.id_of(int(s))) for p, s in zip(near.place, near.slot, strict=True)}
    wanted = set()
    for fence in there:
        beyond = metres(lat, lon, fence.lat, fence.lon) - fence.radius_m
        wanted |= {(int(at), fence.id) for at in np.nonzero(beyond <= HYSTERESIS)[0]}
    assert found == wanted
    assert len(near.place) == len(found)


def near_each(index: FenceIndex, fences: list[Fence]) -> set[str]:
    """Which fences are found in their own middle."""
    near = index.near(np.array([f.lat for f in fences]), np.array([f.lon for f in fences]))
    found = zip(near.place.tolist(), near.slot.tolist(), strict=True)
    return {fences[place].id for place, slot in found if index.id_of(slot) == fences[place].id}


def test_fences_that_move_again_and_again_take_no_more_room() -> None:
    index = FenceIndex(HYSTERESIS)
    fences = circles(60, 1)
    index.load(fences)
    random, sizes = np.random.default_rng(2), []
    for number in range(4000):
        one = int(random.integers(0, 60))
        fences[one] = replace(fences[one], lat=float(random.uniform(-80, 80)), lon=float(number % 180))
        if number % 7 == 0:
            index.remove(fences[one].id)
        index.put(fences[one])
        sizes.append(index.cells)
    assert len(index) == 60
    assert near_each(index, fences) == {fence.id for fence in fences}
    assert max(sizes) < 2000 + 60 * 30, "cells of fences that moved away are let go"
    index.load(circles(60, 3))  # the same ids, elsewhere
    assert len(index) == 60
    assert near_each(index, circles(60, 3)) == {fence.id for fence in fences}


def test_a_makers_consent_is_asked_once_and_before_anything_is_reckoned() -> None:
    fences = [
        replace(fence, maker=f"m{number % 3}", lat=51.5, lon=-0.1, radius_m=400.0)
        for number, fence in enumerate(circles(300, 1))
    ]
    index = FenceIndex(HYSTERESIS)
    index.load(fences)
    asked: list[tuple[int, str | None]] = []

    def sees(place: int, maker: str | None) -> bool:
        asked.append((place, maker))
        return (place, maker) == (1, "m2")

    near = index.near(np.array([51.5, 51.5, 10.0]), np.array([-0.1, -0.1, 10.0]), sees)
    assert sorted(asked) == [(place, f"m{n}") for place in (0, 1) for n in range(3)]
    assert set(near.place.tolist()) == {1}
    assert {index.id_of(slot) for slot in near.slot.tolist()} == {f.id for f in fences if f.maker == "m2"}


def test_a_crowd_of_fences_is_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    fences = circles(300, 4)
    index = FenceIndex(HYSTERESIS)
    index.load(fences[:200])
    for fence in fences[200:]:
        index.put(fence)
    lat, lon = (np.array([getattr(fence, name) for fence in fences]) for name in ("lat", "lon"))
    whole = index.near(lat, lon, lambda place, _: place % 7 > 0)
    monkeypatch.setattr("streams.fences.index._MOST_PAIRS", 20)
    parts = index.near(lat, lon, lambda place, _: place % 7 > 0)
    for one, other in zip(whole, parts, strict=True):
        assert one.tolist() == other.tolist()


SQUARE = [(51.0, -1.0), (51.0, 0.0), (52.0, 0.0), (52.0, -1.0)]
ACROSS = [(-1.0, 179.0), (-1.0, -179.0), (1.0, -179.0), (1.0, 179.0)]


@pytest.mark.parametrize(
    ("corners", "inside", "outside"),
    [
        (SQUARE, [(51.5, -0.5), (51.01, -0.99)], [(50.99, -0.5), (51.5, 0.01), (0, 0)]),
        (ACROSS, [(0, 180), (0, -180), (0.9, 179.5), (0.9, -179.5)], [(0, 178.9), (0, -178.9), (1.1, 180)]),
        ([(0, 0), (0, 2), (1, 1), (2, 2), (2, 0)], [(0.5, 0.5), (1.0, 0.9)], [(1.0, 1.5)]),
    ],
)
def test_polygons(corners: Any, inside: Any, outside: Any) -> None:
    polygon = Polygon(corners)
    fence = read_fence("p", FenceRequest(polygon=tuple(corners)), "ana")
    index = FenceIndex(HYSTERESIS)
    index.put(fence)
    for place in inside:
        assert polygon.beyond(*place) < 0
        assert len(index.near(np.array([place[0]]), np.array([place[1]])).place) == 1
    for place in outside:
        assert polygon.beyond(*place) > 0
        assert len(index.near(np.array([place[0]]), np.array([place[1]])).place) == 0


def test_a_polygons_border_is_as_far_as_it_is() -> None:
    polygon = Polygon(SQUARE)
    assert polygon.beyond(52.001, -0.5) == pytest.approx(111.2, rel=0.01)
    assert polygon.beyond(51.5, 0.001) == pytest.approx(69.2, rel=0.01)
    assert polygon.beyond(51.5, -0.5) == pytest.approx(-34_610, rel=0.02)


@pytest.mark.parametrize(
    "wanted",
    [
        FenceRequest(),
        FenceRequest(lat=1.0, lon=2.0),
        FenceRequest(lat=91.0, lon=2.0, radius_m=10.0),
        FenceRequest(lat=1.0, lon=2.0, radius_m=0.0),
        FenceRequest(lat=1.0, lon=2.0, radius_m=float("nan")),
        FenceRequest(lat=1.0, lon=2.0, radius_m=10.0, polygon=((0.0, 0.0), (0.0, 1.0), (1.0, 1.0))),
        FenceRequest(polygon=((0.0, 0.0), (0.0, 1.0))),
        FenceRequest(polygon=((80.0, 0.0), (80.0, 120.0), (80.0, -120.0))),
        FenceRequest(polygon=((0.0, 0.0), (0.0, 1.0), (1.0, 181.0))),
        FenceRequest(lat=1.0, lon=2.0, radius_m=10.0, users=("",)),
    ],
)
def test_what_is_no_fence_is_refused(wanted: FenceRequest) -> None:
    with pytest.raises(TouchlineError) as raised:
        read_fence("f", wanted, "ana")
    assert raised.value.code == "bad_request"


class Agreed:
    """Who may be seen by the fences' maker."""

    def __init__(self, fences: list[Fence], hidden: set[str]) -> None:
        self._fences, self.hidden = {fence.id: fence for fence in fences}, hidden

    def fence(self, id_: str) -> Fence | None:
        return self._fences.get(id_)

    def sees(self, _: str | None, user: str, __: int) -> bool:
        return user not in self.hidden

    def sees_exactly(self, _: str | None, user: str) -> bool:
        return not user.startswith("stranger")


def moved(user: str, metres_north: float, offset: int) -> Moved:
    lat = 51.5 + metres_north / 111_195
    return Moved(user, user, lat, -0.2, "then", 1, seq=offset, id=str(offset), offset=offset)


def play(index: FenceIndex, consent: Any, moves: list[Moved], inside: dict[str, Inside]) -> list[str]:
    told = []
    for crossing, change in crossings(index, consent, moves, inside.get, CELLS):
        if crossing is not None:
            told.append(f"{crossing.type} {crossing.data['user']} {crossing.data.get('reason', '')}".strip())
        if change is not None:
            inside[change.moved.name] = change.inside
            if not change.inside.fences:
                del inside[change.moved.name]
    return told


def test_who_walks_along_a_border_is_told_of_once() -> None:
    fence = Fence(id="f", maker="max", lat=51.5, lon=-0.2, radius_m=100.0)
    index, inside = FenceIndex(HYSTERESIS), dict[str, Inside]()
    index.put(fence)
    consent = Agreed([fence], set())
    steps = [300.0, 101.0, 99.0, 110.0, 95.0, 119.0, 90.0, 121.5, 101.0, 0.0]
    moves = [moved("ana", way, n) for n, way in enumerate(steps)]
    assert play(index, consent, moves, inside) == ["enter ana", "exit ana", "enter ana"]
    # One by one, or all of a round: the same.
    again: dict[str, Inside] = {}
    told = [line for move in moves for line in play(index, consent, [move], again)]
    assert told == ["enter ana", "exit ana", "enter ana"]
    assert again == inside


def test_strangers_are_told_the_cell_of_who_is_public_and_friends_the_place() -> None:
    fence = Fence(id="f", maker="max", lat=51.5, lon=-0.2, radius_m=100.0)
    index = FenceIndex(HYSTERESIS)
    index.put(fence)
    consent: Any = Agreed([fence], set())
    moves = [moved(user, 30.0 + n, n) for n, user in enumerate(("stranger", "ana"))]
    inside = dict[str, Inside]()
    told = [one.data for one, _ in crossings(index, consent, moves, inside.get, CELLS) if one is not None]
    middle = CELLS.middle(CELLS.of_one(moves[0].lat, moves[0].lon))
    assert (told[0]["lat"], told[0]["lon"]) == (round(middle[0], 6), round(middle[1], 6))
    assert (told[1]["lat"], told[1]["lon"]) == (moves[1].lat, moves[1].lon)


def test_consent_holds_for_fences() -> None:
    fence = Fence(id="f", maker="max", lat=51.5, lon=-0.2, radius_m=100.0, users=("ana", "bob"))
    index, inside = FenceIndex(HYSTERESIS), dict[str, Inside]()
    index.put(fence)
    consent = Agreed([fence], {"bob"})
    moves = [moved(user, 0, n) for n, user in enumerate(["ana", "bob", "eve"])]
    assert play(index, consent, moves, inside) == ["enter ana"]
    consent.hidden = {"ana"}
    assert play(index, consent, [moved("ana", 1, 9)], inside) == ["exit ana stopped"]
    assert play(index, consent, [moved("ana", 2, 10)], inside) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-400, 400), max_size=30))
def test_events_of_a_fence_take_turns(steps: list[float]) -> None:
    fence = Fence(id="f", maker="max", lat=51.5, lon=-0.2, radius_m=100.0)
    index = FenceIndex(HYSTERESIS)
    index.put(fence)
    told = play(index, Agreed([fence], set()), [moved("ana", s, n) for n, s in enumerate(steps)], {})
    assert told == ["enter ana", "exit ana"] * (len(told) // 2) + ["enter ana"] * (len(told) % 2)
