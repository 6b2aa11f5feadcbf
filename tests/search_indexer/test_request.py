"""What can be wrong with a search, and the sentence that says so; cursors that were tampered with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.settings.reading import Auth, Settings
from search_indexer.counting.counts import Counts
from search_indexer.query.syntax import Near
from search_indexer.searching.cursors import Cursors
from search_indexer.searching.request import Page, Search, read_search
from search_indexer.searching.scope import visible


def test_reads_what_is_given() -> None:
    search, page = read_search(
        [
            ("q", "goal"),
            ("kind", "chat"),
            ("kind", "broadcast"),
            ("channel", "wc26-final"),
            ("sender", "ana"),
            ("since", "2026-06-11T19:00:00Z"),
            ("near", "40.81,-74.07"),
            ("within", "5mi"),
            ("limit", "3"),
            ("facets", "1"),
        ]
    )
    assert search == Search(
        q="goal",
        kinds=(Kind.CHAT, Kind.BROADCAST),
        channels=("wc26-final",),
        senders=("ana",),
        since=1_781_204_400_000,
        near=Near(40.81, -74.07, 8046.72),
        sort="relevance",
    )
    assert page == Page(limit=3, counts=Counts())
    assert read_search([])[0].sort == "newest"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("kind", "tweet", "broadcast, chat or location"),
        ("channel", "a b", "not a channel's name"),
        ("since", "now-1d", "RFC 3339"),
        ("since", "2026-06-31", "RFC 3339"),
        ("zone", "Mars/Utopia", "time zone"),
        ("since", "99999-01-01T00:00:00Z", "RFC 3339"),
        ("near", "40.81", "latitude and longitude"),
        ("near", "nan,nan", "latitude and longitude"),
        ("near", "91,0", "not on the earth"),
        ("within", "5mi", "without near"),
        ("sort", "best", "relevance, newest, oldest or meaning"),
        ("limit", "0", "from 1 to 100"),
        ("limit", "101", "from 1 to 100"),
        ("limit", "１", "from 1 to 100"),
        ("facets", "yes", "1 or 0"),
        ("rows", "3", "not a parameter"),
        ("size", "1001", "from 1 to 1000"),
        ("facet", "text", "kind, channel, sender, type, mark"),
        ("by", "words", "kind, channel, sender, type, mark"),
        ("interval", "1ms", "how long a bar is"),
        ("compare", "1", "needs since"),
        ("sender", "", "1 to 256"),
    ],
)
def test_a_mistake_is_named(name: str, value: str, says: str) -> None:
    with pytest.raises(TouchlineError, match=says) as raised:
        read_search([(name, value)])
    assert raised.value.code == "bad_request"


def test_times_the_wrong_way_round_and_odd_distances() -> None:
    with pytest.raises(TouchlineError, match="until is before since"):
        read_search([("since", "2026-06-11T19:00:00Z"), ("until", "2026-06-11T18:00:00Z")])
    with pytest.raises(TouchlineError, match="give it once"):
        read_search([("q", "a"), ("q", "b")])
    for within in ("5", "mi", "-3km", "0m", "1e9km"):
        with pytest.raises(TouchlineError, match="distance with its unit"):
            read_search([("near", "1,2"), ("within", within)])


@given(st.lists(st.tuples(st.sampled_from(["q", "kind", "since", "near", "within", "limit"]), st.text())))
def test_any_parameters_are_read_or_refused(given_: list[tuple[str, str]]) -> None:
    code = "bad_request"
    try:
        read_search(given_)
    except TouchlineError as error:
        code = error.code
    assert code == "bad_request"


CURSORS = Cursors(Settings(auth=Auth(secret="s" * 32)))


def test_a_cursor_comes_back_as_it_was_given() -> None:
    after = [2.5, 1_781_204_400_000, 1 << 50, 17]
    cursor = CURSORS.make(Search(q="goal"), after)
    assert CURSORS.read(cursor, Search(q="goal"), 4) == after
    # Made by one process, read by another one.
    assert Cursors(Settings(auth=Auth(secret="s" * 32))).read(cursor, Search(q="goal"), 4) == after


def test_a_cursor_of_another_search_is_refused() -> None:
    cursor = CURSORS.make(Search(q="goal"), [1, 2, 3])
    other = Search(q="goal", channels=("x",))
    for search, values in ((Search(q="goals"), 3), (other, 3), (Search(q="goal"), 4)):
        with pytest.raises(TouchlineError, match="another search"):
            CURSORS.read(cursor, search, values)


@given(st.text(max_size=500) | st.binary(max_size=60).map(lambda b: b.hex()), st.integers(0, 60))
def test_a_cursor_that_was_tampered_with_is_refused(text: str, at: int) -> None:
    good = CURSORS.make(Search(), [1, 2, 3])
    at %= len(good) - 1  # the last character has bits that say nothing
    changed = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]
    for cursor in (text, changed, good + "AAAA", good[:-4]):
        with pytest.raises(TouchlineError, match="cursor") as raised:
            CURSORS.read(cursor, Search(), 3)
        assert raised.value.code == "bad_request"


def test_what_grants_cover() -> None:
    assert visible(["chat:a", "*"]) is None
    assert visible([]) == {"match_none": {}}
    (way,) = (visible(["chat:wc26-*.x"]) or {})["bool"]["should"]
    assert way == {"regexp": {"stream": {"value": "chat:wc26-.*\\.x(\\~[0-9]+)?"}}}
