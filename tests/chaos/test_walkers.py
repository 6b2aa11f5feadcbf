"""What judges walkers holds for what is right, and finds each thing that is wrong."""

from collections.abc import Sequence
from typing import Any

import pytest

from chaos.parts.walkers.judging import (
    FenceEvent,
    Onlooking,
    Told,
    each_push_is_explained,
    fences_tell_what_the_oracle_tells,
    right_at_rest,
    shown_as_the_oracle_says,
)
from chaos.parts.walkers.oracle import Change, Circle, Spot, World, metres, stretches
from control.places import distances

METRE = 1 / 111_195
LATE, END = 5_000, 100_000
RADIUS, BEYOND = 500.0, 25.0


def spot(at_s: float, north_m: float) -> Spot:
    return Spot(round(at_s * 1000), north_m * METRE, 0.0, f"t{at_s:g}")


def world(**more: Any) -> World:
    """Ana stands at 0; bob comes at 20 s, moves at 30, leaves at 60. Cat is no friend of theirs."""
    positions = {
        "ana": [spot(1, 0)],
        "bob": [spot(10, 900), spot(20, 400), spot(30, 300), spot(60, 800)],
        "cat": [spot(5, 100)],
    }
    friends = {("ana", "bob"): [Change(0, True)], ("bob", "cat"): [Change(0, True)]}
    consent = {user: [Change(0, True)] for user in positions}
    given = {"positions": positions, "friends": friends, "consent": consent}
    return World(**{**given, **more}, radius_m=RADIUS, inactive_ms=600_000)


def near(at_s: float, north_m: float, said_s: float, **more: Any) -> Told:
    told = Told(round(at_s * 1000), "near", "bob", north_m * METRE, 0.0, north_m, f"t{said_s:g}")
    return told._replace(**more)


def away(at_s: float, reason: str = "left") -> Told:
    return Told(round(at_s * 1000), "away", "bob", reason=reason)


BEGIN = Told(2_000, "begin")
COMES, MOVES, LEAVES = near(20.1, 400, 20), near(30.1, 300, 30), away(60.1)
RIGHT = [BEGIN, COMES, MOVES, LEAVES]


def shown(told: Sequence[Told], there: World | None = None) -> list[str]:
    looking = Onlooking("ana", (0.0, 0.0), told)
    return shown_as_the_oracle_says([looking], there or world(), LATE, END).wrong


def explained(told: Sequence[Told], there: World | None = None) -> list[str]:
    return each_push_is_explained([Onlooking("ana", (0.0, 0.0), told)], there or world(), LATE).wrong


def resting(told: Sequence[Told], there: World | None = None) -> list[str]:
    return right_at_rest([Onlooking("ana", (0.0, 0.0), told)], there or world(), 50_000)


def test_the_oracles_distances_are_those_of_the_earth() -> None:
    for one, other in (((51.5, -0.1), (51.6, 0.2)), ((0, 179.9), (0, -179.9)), ((89.9, 0), (89.9, 180))):
        assert metres(one, other) == pytest.approx(float(distances.metres(*one, *other)), rel=1e-9)


def test_what_is_right_is_not_found_wrong() -> None:
    assert shown(RIGHT) == explained(RIGHT) == resting(RIGHT[:3]) == []
    assert shown_as_the_oracle_says([Onlooking("ana", (0.0, 0.0), RIGHT)], world(), LATE, END).looked == 1
    # A moment late, or away from the screen meanwhile.
    assert shown([BEGIN, near(24, 400, 20), MOVES, away(64)]) == []
    assert shown([BEGIN, Told(15_000, "lost"), Told(58_000, "begin"), near(58.1, 300, 30), LEAVES]) == []
    assert [(s.begin_ms, s.near) for s in stretches(world(), "ana", "bob", END)] == [
        (0, False),
        (20_000, True),
        (60_000, False),
    ]
    # On the border both are right.
    border = world(positions={"ana": [spot(1, 0)], "bob": [spot(10, 500.5)]})
    assert shown([BEGIN], border) == shown([BEGIN, near(10, 500.5, 10)], border) == []


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([BEGIN], "bob is not shown"),
        ([BEGIN, near(27, 400, 20), MOVES, LEAVES], "bob is not shown"),
        ([BEGIN, COMES, MOVES], "bob is shown"),
        ([BEGIN, COMES, MOVES, away(70)], "bob is shown"),
        ([BEGIN, COMES, away(40), near(45, 300, 30), LEAVES], "bob is not shown"),
        ([BEGIN, *RIGHT[1:], Told(9_000, "near", "cat")], "cat is shown"),
    ],
)
def test_who_is_shown_otherwise_is_found(told: list[Told], why: str) -> None:
    assert any(why in sentence for sentence in shown(sorted(told, key=lambda one: one.at_ms))), shown(told)


NO_MORE = {("ana", "bob"): [Change(0, True), Change(25_000, False)]}
TAKEN_BACK = {"bob": [Change(0, True), Change(25_000, False)]}


@pytest.mark.parametrize(
    ("told", "there", "why"),
    [
        ([near(30, 350, 30)], {}, "no such position"),
        ([near(30, 300, 20)], {}, "no such position"),
        ([near(28, 300, 30)], {}, "no such position"),
        ([COMES._replace(user="cat", lat=100 * METRE, said="t5")], {}, "no friends"),
        ([near(31, 300, 30)], {"friends": NO_MORE}, "no friends"),
        ([near(31, 300, 30)], {"consent": TAKEN_BACK}, "not agreed"),
        ([near(20.1, 400, 20, distance_m=300.0)], {}, "nowhere"),
        ([near(10.1, 900, 10)], {}, "farther"),
        ([away(40)], {}, "within the radius"),
        ([away(40, "unfriended")], {}, "nobody has said so"),
        ([away(40, "stopped")], {}, "nobody has said so"),
        ([away(40, "inactive")], {}, "said something"),
    ],
)
def test_what_cannot_be_explained_is_found(told: list[Told], there: dict[str, Any], why: str) -> None:
    found = explained([BEGIN, *told], world(**there))
    assert len(found) == 1
    assert why in found[0]


def test_what_can_be_explained_by_what_was_a_moment_ago_is_right() -> None:
    late = world(friends=NO_MORE, consent={**world().consent, **TAKEN_BACK})
    assert explained([BEGIN, near(26, 400, 20), away(26, "unfriended"), away(26, "stopped")], late) == []


def test_at_rest_the_latest_position_is_shown() -> None:
    assert "as of t20" in resting([BEGIN, COMES])[0]
    assert "shown otherwise" in resting([BEGIN])[0]
    assert "shown otherwise" in resting([*RIGHT[:3], Told(9_000, "near", "cat")])[0]
    assert "not connected" in resting([*RIGHT[:3], Told(40_000, "lost")])[0]


FENCE = {"f": Circle("ana", 0.0, 0.0, 500.0)}


def crossing(kind: str, north_m: float, said_s: float, **more: Any) -> FenceEvent:
    return FenceEvent("f", kind, "bob", north_m * METRE, 0.0, f"t{said_s:g}")._replace(**more)


ENTER, EXIT = crossing("enter", 400, 20), crossing("exit", 800, 60)
OWN = FenceEvent("f", "enter", "ana", 0.0, 0.0, "t1")


def told_by_fences(events: Sequence[FenceEvent], steady: Sequence[str] = ("ana", "bob")) -> list[str]:
    there = fences_tell_what_the_oracle_tells(events, FENCE, world(), steady=steady, beyond_m=BEYOND)
    return there.wrong


def test_fences_tell_each_crossing_once_in_order_and_nothing_else() -> None:
    assert told_by_fences([OWN, ENTER, EXIT]) == []
    assert (
        told_by_fences([OWN, ENTER, crossing("exit", 0, 0, lat=None, lon=None, reason="stopped")], ["ana"])
        == []
    )
    for wrong in ([OWN, ENTER], [OWN, EXIT], [OWN, ENTER, ENTER, EXIT], [OWN], [ENTER, EXIT]):
        assert told_by_fences(wrong), wrong
    for event, why in (
        (crossing("enter", 350, 20), "never accepted"),
        (crossing("enter", 800, 60), "beyond its border"),
        (crossing("enter", 100, 5, user="cat"), "no friend"),
        (crossing("enter", 400, 20, lat=None), "without a place"),
    ):
        assert any(why in sentence for sentence in told_by_fences([OWN, event], ["ana"])), why
    assert any("twice" in sentence for sentence in told_by_fences([OWN, ENTER, ENTER], ["ana"]))
