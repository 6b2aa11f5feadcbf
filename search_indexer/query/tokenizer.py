"""A query cut into pieces: words, quoted phrases, operators with their values; AND, NOT and parentheses read.

What other systems write is understood where it means something here, and told where it does not.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from kernel.errors import TouchlineError
from search_indexer.query.operators import ALIASES, ELSEWHERE, OPERATORS

_SPACE: Final = re.compile(r"\s+")
_BARE: Final = re.compile(r'[^\s"]+')
_NAMED: Final = re.compile(r"([@_A-Za-z]+):(.*)", re.DOTALL)
_BOOST: Final = re.compile(r".*\w\^[\d.]+")
_SLOP: Final = re.compile(r"[~^]\d*")
_OR: Final = frozenset({"OR", "||"})
_AND: Final = frozenset({"AND", "&&"})
#: What editors and phones make of a quotation mark.
_QUOTES: Final = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})


class BadQuery(TouchlineError):  # noqa: N818 - it reads as what it says
    """A query that cannot be understood; it says where, counting characters from 1, and what was expected."""

    def __init__(self, position: int, sentence: str) -> None:
        super().__init__("bad_request", f"q, character {position}: {sentence}")
        self.position = position


class Piece(NamedTuple):
    """A part of a query between spaces, or between quotation marks."""

    position: int
    text: str
    quoted: bool = False
    negated: bool = False
    #: The operator whose value the text is.
    name: str = ""
    #: Between two words: one of them is enough.
    is_or: bool = False
    #: Parentheses that open before it and close behind it; whether the first of them is negated as a whole.
    opens: int = 0
    closes: int = 0
    denied: bool = False

    @property
    def bare(self) -> bool:
        """Whether it stands there as it is, without signs."""
        return not (self.quoted or self.name or self.negated)


def pieces_of(text: str) -> list[Piece]:
    """The pieces, with AND, NOT and parentheses read. Raises BadQuery."""
    pieces = [_read(piece) for piece in _joined(_cut(text.translate(_QUOTES)))]
    return _without_groups(_without_words(pieces))


def _cut(text: str) -> list[Piece]:
    pieces: list[Piece] = []
    position = 0
    while position < len(text):
        if space := _SPACE.match(text, position):
            position = space.end()
            continue
        start = position
        negated = text[position] == "-" and position + 1 < len(text) and not text[position + 1].isspace()
        position += negated
        if text[position] == '"':
            said, position = _quoted(text, position)
            if position < len(text) and text[position] == "*":
                raise BadQuery(position + 1, "a * stands at the end of a word, not of a phrase.")
            if slop := _SLOP.match(text, position):
                raise BadQuery(
                    position + 1, f"{slop[0]} is not understood: a phrase's words stand side by side."
                )
            pieces.append(Piece(start + 1, said, quoted=True, negated=negated))
            continue
        found = _BARE.match(text, position)
        if found is None:  # only a quotation mark stops it, and that was looked at above
            raise AssertionError(text)
        piece, position = Piece(start + 1, found[0], negated=negated), found.end()
        opened = piece.text.lstrip("(")
        if text[position : position + 1] == '"' and (name := name_of(opened.removesuffix(":"), opened)):
            said, position = _quoted(text, position)
            piece = _opened(piece, len(piece.text) - len(opened))._replace(text=said, quoted=True, name=name)
        pieces.append(piece)
    return pieces


def _quoted(text: str, position: int) -> tuple[str, int]:
    """What stands between quotation marks, and the place behind them."""
    end = text.find('"', position + 1)
    if end < 0:
        raise BadQuery(position + 1, 'this quotation mark is not closed: a second " is expected.')
    return text[position + 1 : end], end + 1


def _opened(piece: Piece, opens: int) -> Piece:
    """With so many parentheses before it; a sign that stood before them is about all that they hold."""
    if not opens:
        return piece
    return piece._replace(opens=piece.opens + opens, denied=piece.negated, negated=False)


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Parentheses that stand alone, or beside a quotation mark, belong to the piece that they are beside."""
    joined: list[Piece] = []
    before: Piece | None = None
    for piece in pieces:
        signs = set() if piece.quoted else set(piece.text)
        if signs == {"("}:
            before = before or piece._replace(text="", opens=0)
            before = before._replace(opens=before.opens + len(piece.text))
        elif signs == {")"} and joined and before is None:
            joined[-1] = joined[-1]._replace(closes=joined[-1].closes + len(piece.text))
        elif before is not None:
            opens = before.opens + piece.opens
            joined.append(piece._replace(position=before.position, opens=opens, denied=before.negated))
            before = None
        else:
            joined.append(piece)
    return joined


def _read(piece: Piece) -> Piece:
    """With parentheses taken off a bare one, and its operator read."""
    if piece.quoted:
        return piece
    text = piece.text
    if text in _OR:
        return piece._replace(is_or=not piece.negated)
    inner = text.lstrip("(")
    bare = inner.rstrip(")")
    if bare and bare != text:
        piece = _opened(piece, len(text) - len(inner))
        # `(-red card)`: the word's own sign stands behind the parenthesis.
        signed = inner != text and len(bare) > 1 and bare[0] == "-"
        piece = piece._replace(
            text=bare[signed:],
            closes=piece.closes + len(inner) - len(bare),
            negated=piece.negated or signed,
        )
    return _with_operator(piece)


def _with_operator(piece: Piece) -> Piece:
    if _BOOST.fullmatch(piece.text):
        raise BadQuery(piece.position, "^ gives a word no weight here: leave it out.")
    named = _NAMED.fullmatch(piece.text)
    if named is None:
        return piece
    said, value = named.groups()
    if not (name := name_of(said)):
        if value and (instead := ELSEWHERE.get(said.lower())):
            raise BadQuery(piece.position, f"there is no {said}: here; {instead}")
        return piece
    if not value:
        example = OPERATORS[name].example
        raise BadQuery(piece.position, f"what is meant stands right behind {said}: as in {said}:{example}.")
    return piece._replace(text=value, name=name)


def name_of(said: str, with_colon: str = "") -> str:
    """The operator that this is the name of; empty: none. Of `with_colon` it is to be all but the colon."""
    name = said.lower()
    name = ALIASES.get(name, name)
    return name if name in OPERATORS and said != with_colon else ""


def _without_words(pieces: Sequence[Piece]) -> list[Piece]:
    """AND left out, and NOT as the sign of what follows it."""
    made: list[Piece] = []
    word: Piece | None = None
    for piece in pieces:
        if piece.bare and (piece.text in _AND or piece.text == "NOT"):
            first = not made or made[-1].is_or
            if piece.text in _AND and (first or word is not None):
                raise BadQuery(piece.position, f"{piece.text} stands between two words: goal AND penalty.")
            if word is not None and word.text == "NOT":
                raise BadQuery(piece.position, "NOT stands before a word, once.")
            word = piece
            continue
        if word is not None and (piece.is_or or (word.text == "NOT" and (piece.negated or piece.denied))):
            raise BadQuery(word.position, f"a word is expected after {word.text}.")
        if word is not None and word.text == "NOT":
            signed = piece._replace(denied=True) if piece.opens else piece._replace(negated=True)
            made.append(signed._replace(position=word.position))
        else:
            made.append(piece)
        word = None
    if word is not None:
        raise BadQuery(word.position, f"a word is expected after {word.text}.")
    return made


def _without_groups(pieces: list[Piece]) -> list[Piece]:
    """Parentheses as what they say. OR binds more tightly than the space, so (a OR b) c is a OR b c, and
    -(a OR b) is -a -b; what cannot be said so is told."""
    left_out: set[int] = set()
    for first, last, denied in _groups(pieces):
        ors = {place for place in range(first, last + 1) if pieces[place].is_or}
        words = [place for place in range(first, last + 1) if place not in ors]
        beside = any(0 <= place < len(pieces) and pieces[place].is_or for place in (first - 1, last + 1))
        any_of = len(ors) == len(words) - 1
        simple = any_of and not (denied and (beside and len(words) > 1))
        if not simple and (denied or (beside and len(words) > 1)):
            raise BadQuery(
                pieces[first].position,
                "this cannot be said here: OR binds more tightly than the space, so a OR b c is (a or b) c.",
            )
        if denied:
            if any(pieces[place].negated for place in words):
                raise BadQuery(pieces[first].position, "a negation within a negation: say what is wanted.")
            left_out |= ors
            for place in words:
                pieces[place] = pieces[place]._replace(negated=True, denied=False)
    kept = [piece for place, piece in enumerate(pieces) if place not in left_out]
    return [piece._replace(negated=piece.negated or piece.denied) for piece in kept]


def _groups(pieces: Sequence[Piece]) -> list[tuple[int, int, bool]]:
    """First and last piece of what stands in parentheses, and whether that is negated; the inner ones first.
    Parentheses without a partner are signs like others."""
    waiting: list[tuple[int, bool]] = []
    found: list[tuple[int, int, bool]] = []
    for place, piece in enumerate(pieces):
        waiting += [(place, piece.denied and not number) for number in range(piece.opens)]
        for _ in range(min(piece.closes, len(waiting))):
            first, denied = waiting.pop()
            found.append((first, place, denied))
    return found
