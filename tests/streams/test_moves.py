"""Positions that nobody can have come to are refused: by append times and by what the events say."""

import pytest

from kernel.errors import TouchlineError
from streams.fold.checks.moves import Move, Moves

AT = 1_767_225_600_000
DEGREE_M = 111_195


def at(
    seconds: float, metres: float = 0.0, *, client: float | None = None, accuracy: float | None = None
) -> Move:
    client_ts = None if client is None else AT + round(client * 1000)
    return Move(51.5 + metres / DEGREE_M, -0.2, accuracy, client_ts, AT + round(seconds * 1000))


def refused(last: Move | None, move: Move, speed: float = 100.0) -> bool:
    moves = Moves(600_000, speed)
    if last is not None:
        moves.note("user-ana", last)
    try:
        moves.check("user-ana", move)
    except TouchlineError as error:
        return error.code == "invalid_event"
    return False


@pytest.mark.parametrize(
    ("last", "move", "wrong"),
    [
        (None, at(0, client=0), False),
        (None, at(0, client=30), False),
        (None, at(0, client=3600), True),  # a clock ahead, or one of 2099
        (None, at(0, client=-3600), False),
        (at(0), at(1, 90), False),
        (at(0), at(1, 500), True),
        (at(0), at(5, 500), False),
        (at(0), at(0, 90), False),  # as far as satellites are off
        (at(0), at(1, 5_000_000), True),
        (at(0), at(601, 5_000_000), False),  # long ago: nobody knows
        (at(0, accuracy=1500), at(1, 1500), False),
        (at(0, accuracy=1e8), at(1, 50_000), True),  # who says that they know nothing is not believed all
        (at(0, client=0), at(1, client=-1), True),  # older than the last
        (at(0, client=0), at(1, client=0), False),
        (at(0, client=-300), at(1, 5000, client=0), False),  # what was kept on the way
        (at(0, client=-300), at(1, 5000), True),
    ],
)
def test_moves(last: Move | None, move: Move, *, wrong: bool) -> None:
    assert refused(last, move) is wrong


def test_one_user_says_nothing_of_another() -> None:
    moves = Moves(600_000, 100.0)
    moves.note("user-ana", at(0))
    moves.check("user-bob", at(1, 1_000_000))


def test_across_the_antimeridian_it_is_not_far() -> None:
    moves = Moves(600_000, 100.0)
    moves.note("user-ana", Move(0.0, 179.9995, None, None, AT))
    moves.check("user-ana", Move(0.0, -179.9995, None, None, AT + 1000))


def test_what_is_forgotten_does_not_depend_on_when_the_rest_was_read() -> None:
    """Whoever takes over has read back the window, and no more."""
    for since in range(0, 1200, 100):
        whole, short = Moves(600_000, 100.0), Moves(600_000, 100.0)
        whole.note("user-bob", at(-5000 + since))
        for moves in (whole, short):
            moves.note("user-ana", at(0))
            moves.note("user-cat", at(since - 1))
        verdicts = []
        for moves in (whole, short):
            try:
                moves.check("user-ana", at(since, 1_000_000))
                verdicts.append("taken")
            except TouchlineError:
                verdicts.append("refused")
        assert verdicts == [("refused" if since < 600 else "taken")] * 2
