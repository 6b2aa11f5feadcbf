"""The query language: what it reads, where it says an error is; nothing else ever comes out of it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kernel.times import zone_of
from search_indexer.query.operators import OPERATORS
from search_indexer.query.parser import BadQuery, Reading, parse
from search_indexer.query.syntax import (
    AnyForm,
    Clause,
    During,
    Field,
    Near,
    Phrase,
    Prefix,
    Query,
    edits,
    one_typo,
)
from search_indexer.text.folding import Folding

FOLDING = Folding()
GOAL, RED = AnyForm("goal", "goal"), AnyForm("red", "red")
NO_RED, NO_GOAL = AnyForm("red", "red", strict=True), AnyForm("goal", "goal", strict=True)
ANA, BEN = Field("sender", "ana"), Field("sender", "ben")
#: 2026-06-11T19:00:00Z.
NOW_MS = 1_781_204_400_000
PARIS = Reading(NOW_MS, zone_of("Europe/Paris"))
MIDNIGHT_MS = NOW_MS - 21 * 3_600_000  # of that day in Paris


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
        ("goal) AND {red", (Clause((GOAL,)), Clause((RED,)))),
        ("goal AND red", (Clause((GOAL,)), Clause((RED,)))),
        ("goal && red || goal", (Clause((GOAL,)), Clause((RED, GOAL)))),
        ("goal AND NOT red", (Clause((GOAL,)), Clause((NO_RED,), negated=True))),
        ("(goal OR red) goal", (Clause((GOAL, RED)), Clause((GOAL,)))),
        ("-(goal OR red)", (Clause((NO_GOAL,), negated=True), Clause((NO_RED,), negated=True))),
        ("NOT ( goal OR red )", (Clause((NO_GOAL,), negated=True), Clause((NO_RED,), negated=True))),
        ("(-red goal)", (Clause((NO_RED,), negated=True), Clause((GOAL,)))),
        ("goal :)", (Clause((GOAL,)),)),
        ("from:ana -from:ben", (Clause((ANA,)), Clause((BEN,), negated=True))),
        ("(from:ana OR from:@ben) goal", (Clause((ANA, BEN)), Clause((GOAL,)))),
        ("FROM:ana OR goal", (Clause((ANA, GOAL)),)),
        ('sender:"ana maria"', (Clause((Field("sender", "ana maria"),)),)),
        ("from:a*", (Clause((Field("sender", "a", begins=True),)),)),
        (
            "in:final in:wc26-*",
            (Clause((Field("channel", "final"),)), Clause((Field("channel", "wc26-", True),))),
        ),
        ("in:#final~3", (Clause((Field("channel", "final~3"),)),)),
        ("in:chat:final", (Clause((Field("stream", "chat:final"),)),)),
        ("kind:chat", (Clause((Field("kind", "chat"),)),)),
        ("has:Link is:edited", (Clause((Field("marks", "link"),)), Clause((Field("marks", "edited"),)))),
        ("mentions:@ana", (Clause((Field("marks", "@ana"),)),)),
        ("near:40.8,-74.0~5mi", (Clause((Near(40.8, -74.0, 8046.72),)),)),
        ("after:10m", (Clause((During(since=NOW_MS - 599_999),)),)),
        ("before:2026-06-11", (Clause((During(end=MIDNIGHT_MS),)),)),
        ("after:2026-06-10", (Clause((During(since=MIDNIGHT_MS),)),)),
        ("on:today", (Clause((During(MIDNIGHT_MS, MIDNIGHT_MS + 86_400_000),)),)),
        ("until:21:00", (Clause((During(end=NOW_MS + 60_000),)),)),
        ("since:2026-06-11T19:00:00Z", (Clause((During(since=NOW_MS),)),)),
        ("nothing:special 12:30", (Clause((Phrase(("noth", "special")),)), Clause((Phrase(("12", "30")),)))),
        ('"from:ana"', (Clause((Phrase(("from", "ana")),)),)),
    ],
)
def test_reads(text: str, clauses: tuple[Clause, ...]) -> None:
    assert parse(text, FOLDING, PARIS) == Query(clauses)


def test_every_operator_reads_its_own_example() -> None:
    for name, operator in OPERATORS.items():
        assert parse(f"{name}:{operator.example} -{name}:{operator.example}", FOLDING, PARIS).clauses


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
        ("AND goal", 1, "AND stands between"),
        ("goal AND", 6, "expected after AND"),
        ("goal OR AND red", 9, "AND stands between"),
        ("goal NOT", 6, "expected after NOT"),
        ("NOT -red", 1, "expected after NOT"),
        ("goal (red card) OR penalty", 6, "OR binds more tightly"),
        ("-(red card)", 1, "cannot be said"),
        ("-(goal OR -red)", 1, "a negation within"),
        ("goal^2", 1, "no weight"),
        ('"half time"~3', 12, "side by side"),
        ("to:ana", 1, "mentions:ana"),
        ("goal from:", 6, "right behind from:"),
        ("goal has:gold", 6, "link, attachment, mention or emoji"),
        ("kind:tweet", 1, "broadcast, chat or location"),
        ("before:2026-13-01", 1, "is no time"),
        ("before:soon", 1, "is no time"),
        ("in:a/b", 1, "a channel"),
        ("from:*", 1, "a name of"),
        ("near:91,0", 1, "not on the earth"),
        ("near:1,1~far", 1, "a distance with its unit"),
        ("x" * 1001, 1001, "at most 1000"),
        ("x " * 40, 65, "at most 32"),
    ],
)
def test_says_where_and_what_was_expected(text: str, position: int, says: str) -> None:
    with pytest.raises(BadQuery, match=says) as raised:
        parse(text, FOLDING)
    assert raised.value.position == position
    assert raised.value.code == "bad_request"


PARTS = [
    *(f"{name}:" for name in OPERATORS),
    "AND ",
    "NOT ",
    "OR ",
    "(",
    ")",
    "-",
    " ",
    '"',
    "ana",
    "10m",
    "*",
]


@given(
    st.text(max_size=200)
    | st.text(alphabet='ab*"-OR 東ß\\{}[]()/~', max_size=60)
    | st.lists(st.sampled_from(PARTS), max_size=12).map("".join)
)
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
    assert edits(word, other) == typos(word, other)
