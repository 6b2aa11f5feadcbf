"""What is flat is let be, and what grows is found, however much it wavers."""

import random

import pytest

from chaos.flatness import Bound, not_flat

BOUNDS = {"MB": Bound(0.05, 2.0), "files": Bound(0.0, 3.0)}
NOISE = random.Random(1)
STEADY = [100 + NOISE.uniform(-5, 5) for _ in range(200)]


@pytest.mark.parametrize(
    "series",
    [STEADY, [20.0] * 10 + STEADY, [20.0 + n for n in range(40)] + STEADY, [1.0, 2.0], []],
    ids=["steady", "a start", "a warm-up", "too short", "nothing"],
)
def test_what_is_flat_is_let_be(series: list[float]) -> None:
    assert not_flat({"edge MB": series}, BOUNDS) == []


def test_what_grows_is_found_and_named() -> None:
    leak = [value + n * 0.1 for n, value in enumerate(STEADY)]
    (said,) = not_flat({"edge MB": leak, "edge files": STEADY}, BOUNDS)
    assert said.startswith("edge MB was 10")
    assert len(not_flat({"edge files": [30.0 + n // 10 for n in range(100)]}, BOUNDS)) == 1
