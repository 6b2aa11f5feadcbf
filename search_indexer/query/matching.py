"""A query answered on one text in memory: for alerts and highlights. It agrees with search.

What is looked up in a text is made once, when it is first asked for: a term then costs a few look-ups, in a
long one too. `steps` counts these, for whoever has to know what an answer took; what was made serves all.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from kernel.log.positions import split_lane
from search_indexer.query.syntax import (
    AnyForm,
    Clause,
    During,
    Field,
    Near,
    Phrase,
    Prefix,
    Query,
    Term,
    one_typo,
)
from search_indexer.text.folding import Folding, Word, index_words
from search_indexer.text.geo import metres_between


class Text:
    """A text as it is in the index."""

    def __init__(self, words: frozenset[str], stems: Sequence[str]) -> None:
        self.words, self.stems = words, stems
        self.steps = 0

    @cached_property
    def distinct(self) -> frozenset[str]:
        return frozenset(self.stems)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Where each stem stands."""
        found: dict[str, list[int]] = {}
        for place, stem in enumerate(self.stems):
            found.setdefault(stem, []).append(place)
        return found

    @cached_property
    def in_order(self) -> list[str]:
        return sorted(self.words)

    @cached_property
    def nearly(self) -> dict[str, list[str]]:
        """What is left of each word without one of its letters, and those words."""
        found: dict[str, list[str]] = {}
        for word in self.words:
            for part in shortened(word):
                found.setdefault(part, []).append(word)
        return found


class About(NamedTuple):
    """What an event says of itself, beside its text."""

    kind: str = ""
    channel: str = ""
    sender: str | None = None
    type: str = ""
    at: int = 0
    marks: Sequence[str] = ()
    #: Longitude and latitude.
    where: tuple[float, float] | None = None

    @property
    def channels(self) -> tuple[str, ...]:
        """Its channel, and of a lane also whose it is."""
        base = split_lane(self.channel)[0]
        return (self.channel,) if base == self.channel else (self.channel, base)


_NOTHING: Final = About()
#: So few words of a text are looked at one by one; of more it is made ready which are alike.
_FEW: Final = 48


def shortened(word: str) -> set[str]:
    """A word, and it without one of its letters: two with a typo between them share one of these."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def text_of(source: str, folding: Folding) -> Text:
    """A text made ready for `matches`."""
    words = folding.words(source)
    return Text(frozenset(index_words(words)), [word.stem for word in words])


def matches(query: Query, text: Text, about: About = _NOTHING) -> bool:
    """Whether search would find an event with this text."""
    return all(_holds(clause, text, about) for clause in query.clauses)


def _holds(clause: Clause, text: Text, about: About) -> bool:
    return any(_is_in(term, text, about) for term in clause.terms) != clause.negated


def _is_in(term: Term, text: Text, about: About) -> bool:
    text.steps += 1
    match term:
        case Prefix(start):
            at = bisect_left(text.in_order, start)
            return at < len(text.in_order) and text.in_order[at].startswith(start)
        case Phrase(stems):
            return _has_phrase(stems, text)
        case AnyForm(word, stem):
            if stem in text.distinct:
                return True
            return term.forgiving and _has_nearly(word, text)
        case Field():
            return _says(term, about)
        case During(since, end):
            return (since is None or since <= about.at) and (end is None or about.at < end)
        case Near():
            return is_near(term, about.where)


def _says(term: Field, about: About) -> bool:
    match term.name:
        case "channel":
            values: Sequence[str] = about.channels
        case "stream":
            values = [f"{about.kind}:{channel}" for channel in about.channels]
        case "marks":
            values = about.marks
        case "sender":
            values = () if about.sender is None else (about.sender,)
        case "kind":
            values = (about.kind,)
        case "type":
            values = (about.type,)
    return any(one.startswith(term.value) for one in values) if term.begins else term.value in values


def is_near(near: Near, where: tuple[float, float] | None) -> bool:
    """Whether a place, given by longitude and latitude, lies in the circle."""
    return where is not None and metres_between(near.lat, near.lon, where[1], where[0]) <= near.metres


def _has_nearly(word: str, text: Text) -> bool:
    if len(text.words) <= _FEW:
        # One typo leaves a word its first letter, or its last.
        first, last, shortest, longest = word[0], word[-1], len(word) - 1, len(word) + 1
        for other in text.words:
            if shortest <= len(other) <= longest and (other[0] == first or other[-1] == last):
                text.steps += 1
                if one_typo(word, other):
                    return True
        return False
    for part in shortened(word):
        near = text.nearly.get(part, ())
        text.steps += 1 + len(near)
        if any(one_typo(word, other) for other in near):
            return True
    return False


def _has_phrase(stems: Sequence[str], text: Text) -> bool:
    """Looked for where the rarest of its stems stands."""
    if any(stem not in text.places for stem in stems):
        return False
    number, rarest = min(enumerate(stems), key=lambda one: len(text.places[one[1]]))
    wanted = list(stems)
    for place in text.places[rarest]:
        text.steps += 1
        start = place - number
        if start >= 0 and list(text.stems[start : start + len(wanted)]) == wanted:
            return True
    return False


def _places(stems: Sequence[str], within: Sequence[str]) -> Iterator[int]:
    wanted, size = list(stems), len(stems)
    for start in range(len(within) - size + 1):
        if within[start] == wanted[0] and list(within[start : start + size]) == wanted:
            yield start


def _forms(term: AnyForm, words: Sequence[Word], stems: Sequence[str]) -> list[int]:
    """Which of a text's words are forms of this one, or nearly."""
    found = [i for i, stem in enumerate(stems) if stem == term.stem] if term.stem in stems else []
    if term.forgiving:
        word = term.word
        # One typo leaves a word its first letter, or its last.
        first, last, shortest, longest = word[0], word[-1], len(word) - 1, len(word) + 1
        found += [
            i
            for i, (other, *_) in enumerate(words)
            if shortest <= len(other) <= longest
            and (other[0] == first or other[-1] == last)
            and one_typo(word, other)
        ]
    return found


def found_in(query: Query, words: Sequence[Word]) -> list[Word]:
    """The words of a text that a query's terms are about, to be marked."""
    stems = [word.stem for word in words]
    marked: set[int] = set()
    for clause in query.clauses:
        if clause.negated:
            continue
        for term in clause.terms:
            match term:
                case Prefix(start):
                    marked.update(i for i, w in enumerate(words) if w.word.startswith(start))
                case Phrase(wanted):
                    for place in _places(wanted, stems):
                        marked.update(range(place, place + len(wanted)))
                case AnyForm():
                    marked.update(_forms(term, words, stems))
    # A further reading of a text stands behind its words.
    return sorted((words[i] for i in marked), key=lambda word: (word.start, word.end))
