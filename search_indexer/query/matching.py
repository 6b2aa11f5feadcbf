"""A query answered on one text in memory: for alerts and highlights. It agrees with search."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from search_indexer.query.syntax import AnyForm, Clause, Phrase, Prefix, Query, Term, one_typo
from search_indexer.text.folding import Folding, Word, index_words


class Text(NamedTuple):
    """A text as it is in the index."""

    words: frozenset[str]
    stems: Sequence[str]


def text_of(source: str, folding: Folding) -> Text:
    """A text made ready for `matches`."""
    words = folding.words(source)
    return Text(frozenset(index_words(words)), [word.stem for word in words])


def matches(query: Query, text: Text) -> bool:
    """Whether search would find an event with this text."""
    return all(_holds(clause, text) for clause in query.clauses)


def _holds(clause: Clause, text: Text) -> bool:
    return any(_is_in(term, text) for term in clause.terms) != clause.negated


def _is_in(term: Term, text: Text) -> bool:
    match term:
        case Prefix(start):
            return any(word.startswith(start) for word in text.words)
        case Phrase(stems):
            return any(True for _ in _places(stems, text.stems))
        case AnyForm(word, stem):
            if stem in text.stems:
                return True
            return term.forgiving and any(one_typo(word, other) for other in text.words)


def _places(stems: Sequence[str], within: Sequence[str]) -> Iterator[int]:
    wanted, size = list(stems), len(stems)
    for start in range(len(within) - size + 1):
        if within[start] == wanted[0] and list(within[start : start + size]) == wanted:
            yield start


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
                case AnyForm(word, stem):
                    marked.update(
                        i
                        for i, w in enumerate(words)
                        if w.stem == stem or (term.forgiving and one_typo(word, w.word))
                    )
    return [words[i] for i in sorted(marked)]
