"""What a query says, as types: clauses that must all hold, each of alternatives, or a negation."""

import unicodedata
from typing import Final, Literal, NamedTuple

import msgspec

#: What a text may have, as documents, alerts and queries name it; `@ana` besides: it mentions her.
LINK: Final = "link"
ATTACHMENT: Final = "attachment"
MENTION: Final = "mention"
EMOJI: Final = "emoji"
EDITED: Final = "edited"
REPLY: Final = "reply"


class AnyForm(NamedTuple):
    """A word in any of its forms; one typo is forgiven in five letters and more."""

    word: str
    stem: str
    #: In a negation: who does not want `reply` has said nothing of `replay`.
    strict: bool = False

    @property
    def forgiving(self) -> bool:
        """Whether a typo is forgiven: not in short words, where it makes another word, nor in numbers."""
        if "\u1100" <= self.word < "\u1200":
            # Korean words come letter by letter (search_indexer/text/morphemes.py): syllables are counted.
            return not self.strict and len(unicodedata.normalize("NFC", self.word)) >= 3
        return not self.strict and len(self.word) >= 5 and self.word.isalpha()


class Phrase(NamedTuple):
    """Stems one after the other."""

    stems: tuple[str, ...]


class Prefix(NamedTuple):
    """Words that start so."""

    start: str


class Field(NamedTuple):
    """What an event says of itself, beside its text."""

    name: Literal["kind", "channel", "stream", "sender", "type", "marks"]
    value: str
    #: Whatever begins so.
    begins: bool = False


class During(NamedTuple):
    """When it happened, in milliseconds: not before `since`, before `end`."""

    since: int | None = None
    end: int | None = None


class Near(msgspec.Struct, frozen=True):
    """A circle on the earth."""

    lat: float
    lon: float
    metres: float


#: What is looked for in texts, and what is not.
Word = AnyForm | Phrase | Prefix
Term = Word | Field | During | Near


class Clause(NamedTuple):
    """One of the terms, or (negated) none of them."""

    terms: tuple[Term, ...]
    negated: bool = False

    @property
    def of_words(self) -> bool:
        """Whether it says something of the text, which has a score."""
        return any(isinstance(term, Word) for term in self.terms)


class Query(NamedTuple):
    """All of the clauses. With none it matches everything."""

    clauses: tuple[Clause, ...] = ()


def one_typo(one: str, other: str) -> bool:
    """Whether two words differ by at most one letter too many, missing, changed, or a swap of neighbours."""
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    if len(one) > len(other):
        one, other = other, one
    start = 0
    while start < len(one) and one[start] == other[start]:
        start += 1
    if len(one) < len(other):
        return one[start:] == other[start + 1 :]
    if one[start + 1 :] == other[start + 1 :]:
        return True
    return one[start : start + 2] == other[start : start + 2][::-1] and one[start + 2 :] == other[start + 2 :]


def edits(one: str, other: str) -> int:
    """How many letters have to be put in, left out, changed or swapped with a neighbour."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, its in enumerate(other, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != its)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]
