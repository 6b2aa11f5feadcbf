"""The parser of `q`: words, "phrases", prefix*, -not, a OR b, from:ana. It answers a Query, or BadQuery."""

from typing import Final

from search_indexer.query.operators import OPERATORS, Reading
from search_indexer.query.syntax import AnyForm, Clause, Phrase, Prefix, Query, Term
from search_indexer.query.tokenizer import BadQuery, Piece, pieces_of
from search_indexer.text.folding import Folding, Word

__all__ = ["MAX_LENGTH", "MAX_TERMS", "BadQuery", "Reading", "parse"]

MAX_LENGTH: Final = 1000
MAX_TERMS: Final = 32
_NOW: Final = Reading()


def parse(text: str, folding: Folding, reading: Reading = _NOW) -> Query:
    """Read a query; `reading` says what times in it mean. An empty one matches everything."""
    if len(text) > MAX_LENGTH:
        raise BadQuery(MAX_LENGTH + 1, f"a query has at most {MAX_LENGTH} characters, this has {len(text)}.")
    clauses: list[Clause] = []
    joining = 0  # where the OR stands that waits for its right side
    count = 0
    pieces = pieces_of(text)
    for piece in pieces:
        if piece.is_or:
            if not clauses or joining:
                raise BadQuery(piece.position, "OR stands between two words, as in: goal OR penalty.")
            if clauses[-1].negated:
                raise BadQuery(piece.position, "what stands before OR cannot be a -word.")
            joining = piece.position
            continue
        terms = (_value(piece, reading),) if piece.name else _words(piece, folding)
        if not terms:
            continue
        count += 1
        if count > MAX_TERMS:
            raise BadQuery(piece.position, f"a query has at most {MAX_TERMS} words, phrases and operators.")
        if not joining:
            clauses.append(Clause(terms, piece.negated))
            continue
        if piece.negated:
            raise BadQuery(piece.position, "what stands after OR cannot be a -word.")
        clauses[-1] = Clause((*clauses[-1].terms, *terms))
        joining = 0
    if joining:
        raise BadQuery(joining, "a word is expected after OR.")
    if pieces and not clauses:
        raise BadQuery(pieces[0].position, "a word is expected; there are only signs here.")
    return Query(tuple(clauses))


def _value(piece: Piece, reading: Reading) -> Term:
    """What an operator asks for."""
    try:
        return OPERATORS[piece.name].read(piece.text, reading)
    except ValueError as error:
        raise BadQuery(piece.position, str(error)) from None


def _words(piece: Piece, folding: Folding) -> tuple[Term, ...]:
    """What a piece asks for, in each language of the index that has a form of its own; nothing for signs
    alone."""
    star = piece.text.find("*") if not piece.quoted else -1
    if star >= 0 and star < len(piece.text) - 1:
        raise BadQuery(piece.position + piece.negated + star, "a * stands at the end of a word.")
    variants = [words for words in folding.variants(piece.text) if words]
    if star >= 0:
        if not variants:
            raise BadQuery(piece.position, "letters are expected before the *, as in: goal*.")
        words = variants[0]
        if len(words) > 1 and not all(word.pair for word in words):
            raise BadQuery(piece.position, "a * belongs to one word; this is several.")
        return (_of(words) if len(words) > 1 else Prefix(words[0].word),)
    return tuple(_of(words, quoted=piece.quoted, negated=piece.negated) for words in variants)


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
