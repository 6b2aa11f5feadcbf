"""Walkers are believable: nobody is faster than people are, all have friends, and a seed says all of it."""

from itertools import islice

from producers.posts import Location
from producers.simulation.walking import friendships, walks
from streams.fold.checks.moves import Move, Moves


def test_nobody_goes_where_nobody_can_go() -> None:
    moves, last = Moves(600_000, 3.0), 0.0
    for beat in islice(walks(50, every_s=5.0, seed=3), 5000):
        assert beat.at_s >= last
        last = beat.at_s
        post = beat.post
        assert isinstance(post, Location)
        move = Move(post.lat, post.lon, post.accuracy, None, 1_767_225_600_000 + round(beat.at_s * 1000))
        moves.check(post.channel, move)
        moves.note(post.channel, move)
    assert last > 400


def test_a_seed_says_it_all() -> None:
    one, other = (list(islice(walks(20, every_s=5.0, seed=7), 400)) for _ in range(2))
    assert one == other
    assert one != list(islice(walks(20, every_s=5.0, seed=8), 400))


def test_walkers_have_friends() -> None:
    pairs = friendships(100, 8, seed=1)
    assert len(set(pairs)) == len(pairs)
    assert all(one != other for one, other in pairs)
    assert {name for pair in pairs for name in pair} == {f"walker{n}" for n in range(100)}
