"""The parser of `q`: words, "phrases", prefix*, -not, a OR b. It answers a Query, or raises BadQuery."""

import re
from typing import Final, NamedTuple

from kernel.errors import TouchlineError
from search_indexer.query.syntax import AnyForm, Clause, Phrase, Prefix, Query, Term
from search_indexer.text.folding import Folding, Word

MAX_LENGTH: Final = 1000
MAX_TERMS: Final = 32

_SPACE: Final = re.compile(r"\s+")
_BARE: Final = re.compile(r'[^\s"]+')
#: What editors and phones make of a quotation mark.
_QUOTES: Final = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})


class BadQuery(TouchlineError):  # noqa: N818 - it reads as what it says
    """A query that cannot be understood; it says where, counting characters from 1, and what was expected."""

    def __init__(self, position: int, sentence: str) -> None:
        super().__init__("bad_request", f"q, character {position}: {sentence}")
        self.position = position


class _Piece(NamedTuple):
    position: int
    text: str
    quoted: bool
    negated: bool


def parse(text: str, folding: Folding) -> Query:
    """Read a query. An empty one matches everything."""
    if len(text) > MAX_LENGTH:
        raise BadQuery(MAX_LENGTH + 1, f"a query has at most {MAX_LENGTH} characters, this has {len(text)}.")
    clauses: list[Clause] = []
    joining = 0  # where the OR stands that waits for its right side
    count = 0
    pieces = _pieces(text.translate(_QUOTES))
    for piece in pieces:
        if piece.text == "OR" and not piece.quoted and not piece.negated:
            if not clauses or joining:
                raise BadQuery(piece.position, "OR stands between two words, as in: goal OR penalty.")
            if clauses[-1].negated:
                raise BadQuery(piece.position, "what stands before OR cannot be a -word.")
            joining = piece.position
            continue
        term = _term(piece, folding)
        if term is None:
            continue
        count += 1
        if count > MAX_TERMS:
            raise BadQuery(piece.position, f"a query has at most {MAX_TERMS} words and phrases.")
        if not joining:
            clauses.append(Clause((term,), piece.negated))
            continue
        if piece.negated:
            raise BadQuery(piece.position, "what stands after OR cannot be a -word.")
        clauses[-1] = Clause((*clauses[-1].terms, term))
        joining = 0
    if joining:
        raise BadQuery(joining, "a word is expected after OR.")
    if pieces and not clauses:
        raise BadQuery(pieces[0].position, "a word is expected; there are only signs here.")
    return Query(tuple(clauses))


def _pieces(text: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    position = 0
    while position < len(text):
        if space := _SPACE.match(text, position):
            position = space.end()
            continue
        start = position
        negated = text[position] == "-" and position + 1 < len(text) and not text[position + 1].isspace()
        position += negated
        if text[position] == '"':
            end = text.find('"', position + 1)
            if end < 0:
                raise BadQuery(position + 1, 'this quotation mark is not closed: a second " is expected.')
            pieces.append(_Piece(start + 1, text[position + 1 : end], quoted=True, negated=negated))
            position = end + 1
            if position < len(text) and text[position] == "*":
                raise BadQuery(position + 1, "a * stands at the end of a word, not of a phrase.")
            continue
        found = _BARE.match(text, position)
        if found is None:  # only a quotation mark stops it, and that was looked at above
            raise AssertionError(text)
        pieces.append(_Piece(start + 1, found[0], quoted=False, negated=negated))
        position = found.end()
    return pieces


def _term(piece: _Piece, folding: Folding) -> Term | None:
    """What a piece asks for; None for signs alone."""
    star = piece.text.find("*") if not piece.quoted else -1
    if star >= 0 and star < len(piece.text) - 1:
        raise BadQuery(piece.position + piece.negated + star, "a * stands at the end of a word.")
    words = folding.words(piece.text)
    if star >= 0:
        if not words:
            raise BadQuery(piece.position, "letters are expected before the *, as in: goal*.")
        if len(words) > 1 and not all(word.pair for word in words):
            raise BadQuery(piece.position, "a * belongs to one word; this is several.")
        return _of(words) if len(words) > 1 else Prefix(words[0].word)
    return _of(words, quoted=piece.quoted, negated=piece.negated) if words else None


def _of(words: list[Word], *, quoted: bool = False, negated: bool = False) -> Term:
    if len(words) > 1:
        return Phrase(tuple(word.stem for word in words))
    only = words[0]
    # One character of a script without spaces starts a pair, or stands alone at a run's end.
    if only.pair and len(only.word) == 1:
        return Prefix(only.word)
    # In quotation marks no typo is forgiven.
    if only.pair or quoted:
        return Phrase((only.stem,))
    return AnyForm(only.word, only.stem, strict=negated)
