"""The query language: what it reads, where it says an error is; nothing else ever comes out of it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search_indexer.query.parser import BadQuery, parse
from search_indexer.query.syntax import AnyForm, Clause, Phrase, Prefix, Query, one_typo
from search_indexer.text.folding import Folding

FOLDING = Folding()
GOAL, RED = AnyForm("goal", "goal"), AnyForm("red", "red")
NO_RED = AnyForm("red", "red", strict=True)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", ()),
        ("   ", ()),
        ("goal", (Clause((GOAL,)),)),
        ("Goal -red", (Clause((GOAL,)), Clause((NO_RED,), negated=True))),
        ("goal OR red", (Clause((GOAL, RED)),)),
        ("red goal OR red", (Clause((RED,)), Clause((GOAL, RED)))),
        ("goal or red", (Clause((GOAL,)), Clause((AnyForm("or", "or"),)), Clause((RED,)))),
        ("pen*", (Clause((Prefix("pen"),)),)),
        ('"half time"', (Clause((Phrase(("half", "time")),)),)),
        ("“half time”", (Clause((Phrase(("half", "time")),)),)),
        ('-"half time"', (Clause((Phrase(("half", "time")),), negated=True),)),
        ('"goal"', (Clause((Phrase(("goal",)),)),)),
        ("kick-off", (Clause((Phrase(("kick", "off")),)),)),
        ("- goal", (Clause((GOAL,)),)),
        ("goal !!!", (Clause((GOAL,)),)),
        ("東京都", (Clause((Phrase(("東京", "京都")),)),)),
        ("東", (Clause((Prefix("東"),)),)),
        ("goal) AND {x", None),
    ],
)
def test_reads(text: str, clauses: tuple[Clause, ...] | None) -> None:
    read = parse(text, FOLDING)
    if clauses is not None:
        assert read == Query(clauses)


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ('goal "half', 6, "not closed"),
        ('-"half', 2, "not closed"),
        ("*", 1, "letters are expected before"),
        ("go*al", 3, "end of a word"),
        ("-go*al", 4, "end of a word"),
        ('"half time"*', 12, "not of a phrase"),
        ("kick-off*", 1, "one word"),
        ("OR goal", 1, "between two words"),
        ("goal OR", 6, "expected after OR"),
        ("goal OR OR red", 9, "between two words"),
        ("-goal OR red", 7, "cannot be a -word"),
        ("goal OR -red", 9, "cannot be a -word"),
        ("!!!", 1, "only signs"),
        ('""', 1, "only signs"),
        ("x" * 1001, 1001, "at most 1000"),
        ("x " * 40, 65, "at most 32"),
    ],
)
def test_says_where_and_what_was_expected(text: str, position: int, says: str) -> None:
    with pytest.raises(BadQuery, match=says) as raised:
        parse(text, FOLDING)
    assert raised.value.position == position
    assert raised.value.code == "bad_request"


@given(st.text(max_size=200) | st.text(alphabet='ab*"-OR 東ß\\{}[]()/~', max_size=60))
@example('"' * 500)
@example("-" * 500)
@example("a OR " * 100)
@example("\0\ud800*")
def test_answers_or_raises_its_own_error(text: str) -> None:
    position, read = 1, Query()
    try:
        read = parse(text, FOLDING)
    except BadQuery as error:
        position = error.position
    assert 1 <= position <= max(1, len(text))
    assert all(clause.terms for clause in read.clauses)


def typos(word: str, other: str) -> int:
    """Optimal string alignment distance, the slow and sure way."""
    rows = [[i + j if i * j == 0 else 0 for j in range(len(other) + 1)] for i in range(len(word) + 1)]
    for i in range(1, len(word) + 1):
        for j in range(1, len(other) + 1):
            same = word[i - 1] == other[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (not same))
            if i > 1 and j > 1 and word[i - 1] == other[j - 2] and word[i - 2] == other[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


@given(st.text(alphabet="abc", max_size=7), st.text(alphabet="abc", max_size=7))
def test_one_typo_is_a_distance_of_one(word: str, other: str) -> None:
    assert one_typo(word, other) == (typos(word, other) <= 1)
