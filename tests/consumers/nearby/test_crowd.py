"""docs/nearby.md: of those whom anybody may see, who is near is told by the cells in which they are."""

import pytest

from consumers.nearby.neighbours import Person, Position
from consumers.nearby.strangers import Crowd
from control.geo.distances import FARTHEST_M
from control.nearby.sharing import Sharing

AT = {"near": (51.5, -0.1), "town": (51.6, -0.1), "far": (-33.9, 151.2)}


@pytest.mark.parametrize(
    ("within_m", "shown"),
    [(100.0, []), (5_000.0, ["near"]), (50_000.0, ["near", "town"]), (FARTHEST_M, ["near", "town", "far"])],
)
def test_who_is_farther_than_one_looks_is_not_shown(within_m: float, shown: list[str]) -> None:
    crowd = Crowd(1000.0)
    for number, (user, (lat, lon)) in enumerate(AT.items()):
        person = Person(number, f"user-{user}".encode(), user)
        person.position = Position(lat, lon, "then", 1, number)
        person.sharing = Sharing(user=user, on=True, public=True)
        crowd.settle(person)
    found = list(crowd.nearest(51.497, -0.1, within_m))
    assert [person.user for _, person in found] == shown
    assert all(distance <= within_m for distance, _ in found)
