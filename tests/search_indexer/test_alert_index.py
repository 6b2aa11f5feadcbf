"""Alerts are found by what they are about, agree with asking each, and none takes more than its share."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import ManualClock
from kernel.log.positions import Kind
from search_indexer.alert_index import AlertIndex, Suspension
from search_indexer.alerts import Alert, Ready, about_of, matching, ready, rest_message, rest_shown
from search_indexer.indexing.documents import Indexable, indexable
from search_indexer.query.matching import matches, text_of
from search_indexer.query.parser import BadQuery
from search_indexer.searching.request import Search
from search_indexer.text.folding import Folding

FOLDING = Folding()
WORDS = ("goal", "goals", "penalty", "penatly", "keeper", "kick", "東京", "über", "a", "red")


def event(text: str, *, channel: str = "final", sender: str = "ana") -> Indexable:
    said = {
        "channel": channel, "seq": 1, "id": "1", "type": "message", "key": None, "sender": sender,
        "server_ts": 1_767_225_600_000, "client_ts": None, "partition": 0,
        "data": {"text": text, "target": None, "extra": None},
    }  # fmt: skip
    return indexable(Kind.CHAT, said, FOLDING)


def alert(alert_id: str, q: str, **about: tuple[str, ...]) -> Ready:
    return ready(Alert(id=alert_id, search=Search(q=q, **about)), FOLDING)  # type: ignore[arg-type]


class Book:
    """Alerts in an index, and who was laid to rest."""

    def __init__(self, *alerts: Ready) -> None:
        self.clock = ManualClock()
        self.rested: list[Suspension] = []
        self.index = AlertIndex(self.clock, self.rested.append)
        for one in alerts:
            self.index.put(one.alert.id, one)

    def asked(self, of: Indexable) -> list[Ready]:
        return list(self._ask(of))

    def told(self, of: Indexable) -> set[str]:
        return {alert.id for alert in matching(self._ask(of), of, FOLDING)}

    def _ask(self, of: Indexable) -> Iterator[Ready]:
        text = text_of(of.source[:20_000], FOLDING)
        about = about_of(of)
        for one in self.index.may_match(about, lambda: text):
            matches(one.query, text, about)
            yield one


TERM = st.sampled_from(WORDS)
QUERY = st.lists(
    TERM
    | TERM.map(lambda word: f"-{word}")
    | TERM.map(lambda word: f"{word[:3]}*")
    | st.tuples(TERM, TERM).map(lambda two: f'"{two[0]} {two[1]}"')
    | st.tuples(TERM, TERM).map(lambda two: f"{two[0]} OR {two[1]}"),
    max_size=3,
).map(" ".join)


@given(st.lists(QUERY, max_size=6), st.lists(TERM, max_size=6).map(" ".join))
def test_the_index_and_asking_each_agree(queries: list[str], text: str) -> None:
    alerts = []
    for number, q in enumerate(queries):
        try:
            alerts.append(alert(str(number), q))
        except BadQuery:
            continue
    one = event(text)
    assert Book(*alerts).told(one) == {found.id for found in matching(alerts, one, FOLDING)}


def test_of_ten_thousand_alerts_those_are_asked_that_are_about_it() -> None:
    others = [alert(f"o{number}", f"word{number}") for number in range(10_000)]
    quiet = [alert(f"c{number}", "", channels=(f"quiet{number}",)) for number in range(1000)]
    one = alert("one", "goal -red", channels=("final",))
    book = Book(one, *others, *quiet)
    assert book.asked(event("what a goal")) == [one]
    book.index.remove("one")
    assert book.asked(event("what a goal")) == []


def test_a_text_without_an_end_and_forty_alerts_of_negated_words() -> None:
    """It took minutes, in which nothing was found."""
    negated = " ".join(f"-zebra{number}" for number in range(32))
    book = Book(*(alert(f"n{number}", negated) for number in range(40)))
    text = " ".join(f"zebrx{number}" for number in range(90_000))
    one = event(text)
    begun = time.thread_time()
    book.told(one)
    assert time.thread_time() - begun < 5


def test_an_alert_that_takes_too_much_rests_and_the_others_are_asked() -> None:
    dear = alert("dear", " ".join(['-"b b"'] * 30))
    book = Book(dear, alert("cheap", "goal"))
    one = event("goal " + "a b " * 5000)
    for _ in range(50):
        book.told(one)
    assert [rest.id for rest in book.rested] == ["dear"]
    assert book.told(one) == {"cheap"}
    key, value = rest_message(book.rested[0])
    assert key == b"alert-dear"
    assert rest_shown(book.rested[0])["until"].encode() in value
    book.clock.advance(61)
    assert book.told(one) == {"cheap", "dear"}


def test_all_alerts_together_have_a_share_and_the_dearest_one_rests() -> None:
    cheap = [alert(f"c{number}", "") for number in range(2000)]
    book = Book(*cheap)
    for _ in range(600):
        book.asked(event("hi"))
    assert book.rested


@pytest.mark.parametrize("q", ["goal*", '"the goal"', "gaol", "goals", "", "-red"])
def test_every_sort_of_query_is_found(q: str) -> None:
    assert Book(alert("a", q)).told(event("see the goal")) == {
        found.id for found in matching([alert("a", q)], event("see the goal"), FOLDING)
    }
