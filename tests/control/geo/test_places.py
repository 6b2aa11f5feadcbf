"""Distances and cells, anywhere on the earth: at poles, across the antimeridian, in small and in large."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.geo.cells import Box, Boxes, Grid, box_around, boxes_around
from control.geo.distances import EARTH_M, metres

PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
#: Lengths of geodesics on WGS 84, in metres (as GeographicLib's GeodSolve has them).
GEODESICS = [
    ((0, 0, 0, 1), 111_319.491),
    ((0, 0, 1, 0), 110_574.389),
    ((89, 0, 90, 0), 111_693.865),
    ((40.6, -73.8, 51.6, -0.5), 5_551_759.400),
    ((0, 179.5, 0, -179.5), 111_319.491),
    ((-90, 0, 90, 0), 20_003_931.459),
]


@pytest.mark.parametrize(("places", "length"), GEODESICS)
def test_distances_are_within_a_hundredth_of_the_ellipsoids(places: tuple[float, ...], length: float) -> None:
    assert abs(float(metres(*places)) / length - 1) < 0.0066


@given(PLACES, st.floats(0, 360), st.floats(0.5, 10_000_000))
def test_a_circle_lies_in_its_box(place: tuple[float, float], bearing: float, radius: float) -> None:
    lat, lon = place
    box = box_around(lat, lon, radius)
    there = destination(lat, lon, bearing, radius * 0.999)
    assert box.south <= there[0] <= box.north
    assert (there[1] - box.west) % 360 <= box.width + 1e-7 or box.width >= 360


@given(PLACES, st.floats(0, 360), st.floats(0, 1), st.sampled_from([250.0, 4000.0, 1_000_000.0]))
def test_what_is_in_a_circle_is_in_a_cell_that_it_touches(
    place: tuple[float, float], bearing: float, part: float, size: float
) -> None:
    lat, lon = place
    radius = size * 1.5
    there = destination(lat, lon, bearing, radius * part)
    grid = Grid(size, 3)
    assert grid.of_one(*there) in set(grid.touching(box_around(lat, lon, radius)))


@given(PLACES, st.sampled_from([250.0, 1000.0, 64_000.0]))
def test_a_cell_has_its_middle_and_is_not_much_wider_than_it_says(
    place: tuple[float, float], size: float
) -> None:
    grid = Grid(size)
    cell = grid.of_one(*place)
    middle = grid.middle(cell)
    assert grid.of_one(*middle) == cell
    assert float(metres(*place, *middle)) < size * 1.01


def test_the_antimeridian_and_the_poles_are_places_like_others() -> None:
    grid = Grid(1000)
    assert grid.of_one(10, 180) == grid.of_one(10, -180)
    cells = set(grid.touching(Box(10, 10, 179.99, 0.02)))
    assert grid.of_one(10, 179.995) in cells
    assert grid.of_one(10, -179.995) in cells
    assert {grid.of_one(90, lon) for lon in (0, 90, -90)} <= set(grid.touching(box_around(89.999, 12, 500)))
    assert float(metres(90, 0, 90, 123)) < 1e-3


def test_cells_of_many_places_are_those_of_each() -> None:
    random = np.random.default_rng(7)
    lat, lon = random.uniform(-90, 90, 500), random.uniform(-180, 180, 500)
    grid = Grid(4000, 2)
    one_by_one = [grid.of_one(a, b) for a, b in zip(lat.tolist(), lon.tolist(), strict=True)]
    assert grid.of(lat, lon).tolist() == one_by_one


def destination(lat: float, lon: float, bearing: float, way: float) -> tuple[float, float]:
    """Where one comes to on the sphere."""
    phi, theta, delta = math.radians(lat), math.radians(bearing), way / EARTH_M
    sine = math.sin(phi) * math.cos(delta) + math.cos(phi) * math.sin(delta) * math.cos(theta)
    there = math.asin(max(-1.0, min(1.0, sine)))
    east = math.atan2(
        math.sin(theta) * math.sin(delta) * math.cos(phi), math.cos(delta) - math.sin(phi) * sine
    )
    return math.degrees(there), (lon + math.degrees(east) + 180) % 360 - 180


CIRCLES = st.lists(st.tuples(PLACES, st.floats(0.5, 3_000_000)), min_size=1, max_size=20)


@settings(max_examples=40)
@given(CIRCLES, st.sampled_from([250.0, 4000.0, 1_000_000.0, 4_096_000.0]), st.integers(1, 40))
def test_many_circles_are_as_one_after_the_other(circles: Any, size_m: float, most: int) -> None:
    lat, lon, radius = (np.array(each) for each in zip(*((*place, r) for place, r in circles), strict=True))
    boxes, grid = boxes_around(lat, lon, radius), Grid(size_m, 3)
    for number, ((at_lat, at_lon), r) in enumerate(circles):
        box = Box(*(float(each[number]) for each in boxes))
        assert box == pytest.approx(box_around(at_lat, at_lon, r), abs=1e-9)
    # As the same boxes have it, to the last digit.
    alone = [Box(*(float(each[number]) for each in boxes)) for number in range(len(circles))]
    few = grid.at_most(boxes, most)
    assert few.tolist() == [grid.count(box) <= most for box in alone]
    some = np.nonzero(few)[0]
    of, cells = grid.touched(boxes.of(some))
    for number, at in enumerate(some.tolist()):
        assert sorted(cells[of == number].tolist()) == sorted(grid.touching(alone[at]))
    assert grid.touched(Boxes(*(each[:0] for each in boxes)))[0].size == 0
