"""Runs of combining marks: to normalise one takes the square of its length, and thirty are past reading.

Unicode's own stream-safe text format (UAX #15) bounds them at thirty. Pure.
"""

import re
import unicodedata
from functools import cache
from typing import Final

#: Marks in a row that are kept where text is normalised.
KEPT: Final = 30
#: Marks in a row with which an event is refused: whoever paints with them stays below that.
MOST: Final = 300
#: All marks lie between these.
_FIRST, _LAST = 0x300, 0x1F000


def bounded(text: str) -> str:
    """The text with no more than so many marks in a row: what may be normalised."""
    if text.isascii() or len(text) <= KEPT:
        return text
    return _longer_than_kept().sub(lambda found: found[0][:KEPT], text)


def too_many(text: str) -> bool:
    """Whether a text has so many marks in a row that it says nothing."""
    return len(text) > MOST and not text.isascii() and _too_many().search(text) is not None


@cache
def _longer_than_kept() -> re.Pattern[str]:
    return re.compile(f"[{_marks()}]{{{KEPT + 1},}}")


@cache
def _too_many() -> re.Pattern[str]:
    return re.compile(f"[{_marks()}]{{{MOST + 1}}}")


@cache
def _marks() -> str:
    """What moves past its neighbours when text is normalised, as a regular expression has it."""
    spans: list[list[int]] = []
    for code in range(_FIRST, _LAST):
        letter = chr(code)
        # A few are none themselves, but come apart into such.
        if unicodedata.combining(letter) or unicodedata.combining(unicodedata.normalize("NFKD", letter)[0]):
            if spans and spans[-1][1] == code - 1:
                spans[-1][1] = code
            else:
                spans.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans)
