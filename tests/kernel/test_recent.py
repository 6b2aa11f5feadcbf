"""Keys that a door has posted lately: what is posted again is known, however many are asked for at once."""

import pytest

from kernel.log import recent
from kernel.log.recent import RecentKeys


def test_each_stream_has_keys_of_its_own() -> None:
    keys = RecentKeys()
    assert not keys.again("chat:a", "k")
    assert keys.again("chat:a", "k")
    assert not keys.again("chat:b", "k")


def test_of_many_those_are_told_that_were_posted_before() -> None:
    keys = RecentKeys()
    assert not keys.again_of("chat:a", ["k1", "k2", "k3"])
    assert list(keys.again_of("chat:a", ["new", "k2", "newer", "newer", None, None])) == [1, 3]
    assert list(keys.again_of("chat:a", ["new", "newer"])) == [0, 1]
    assert not keys.again_of("chat:b", ["k1", "k2", "k3"])
    assert not keys.again_of("chat:a", [None, "last"])
    assert keys.again("chat:a", "last")


@pytest.mark.parametrize("at_once", [1, 7])
def test_so_many_are_known_at_least_and_twice_as_many_at_most(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(recent, "MOST", 100)
    keys, names = RecentKeys(), [f"k{number}" for number in range(7 * 100)]
    for first in range(0, len(names), at_once):
        assert not keys.again_of("chat:a", names[first : first + at_once])
    assert len(keys.again_of("chat:a", names[-100:])) == 100
    assert not keys.again_of("chat:a", names[: -2 * 107])
