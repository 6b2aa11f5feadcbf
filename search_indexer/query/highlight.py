"""Highlights: a short piece of the text around what was found, escaped, with <mark> as its only markup."""

from html import escape
from typing import Final

from search_indexer.query.matching import found_in
from search_indexer.query.syntax import Query
from search_indexer.text.folding import Folding, normalised

LENGTH: Final = 240
_BEFORE: Final = 60
#: A text longer than this is only looked at so far; and so much of all texts of a page.
_LOOKED_AT: Final = 20_000
_IN_ALL: Final = 200_000


def share_of(texts: int) -> int:
    """How much of each text of a page is looked at."""
    return min(_LOOKED_AT, _IN_ALL // max(1, texts))


def highlight(query: Query, source: str, folding: Folding, looked_at: int = _LOOKED_AT) -> str:
    """Safe to be put into a page: whatever the text holds, it comes out as text."""
    text = normalised(source[:looked_at])
    found = found_in(query, folding.words(text)) if query.clauses else []
    start, end = 0, len(text)
    if end > LENGTH:
        first = found[0].start if found else 0
        start = 0 if first <= _BEFORE else _word_start(text, first - _BEFORE)
        end = min(end, start + LENGTH)
    made = ["…"] if start else []
    position = start
    for left, right in _joined([(w.start, w.end) for w in found if w.start >= start and w.end <= end]):
        made += [escape(text[position:left]), "<mark>", escape(text[left:right]), "</mark>"]
        position = right
    made.append(escape(text[position:end]))
    if end < len(text):
        made.append("…")
    return "".join(made)


def _word_start(text: str, near: int) -> int:
    space = text.find(" ", near, near + _BEFORE // 2)
    return space + 1 if space >= 0 else near


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping and touching spans as one: pairs of characters overlap."""
    joined: list[tuple[int, int]] = []
    for left, right in spans:
        if joined and left <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(right, joined[-1][1]))
        else:
            joined.append((left, right))
    return joined
