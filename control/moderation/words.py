"""Whether a text has one of a channel's blocked words: one pass over the text, however many words there are.

A word counts between two places that are no part of a word, in whatever case, as the regular expression
`(?<!\\w)(?:word|…)(?!\\w)` has it (decision 0080). The automaton (Aho-Corasick) finds words anywhere, and a
text may hold very many that stand in the wrong places. So those places are marked in the text, and in the
words: what is found then counts, and looking ends with it.
"""

import re
from functools import lru_cache
from typing import Final

import ahocorasick

#: Longer texts are refused where words are blocked: whoever looks at a part only is passed by in the rest.
MAX_LOOKED_AT: Final = 32_768

#: Put before what nothing of a word precedes, and behind what nothing of a word follows. Neither is in a text
#: of one case; the second is itself part of a word, so that the first is not put at it.
_BEGINS, _ENDS = "\0", "A"
_begins: Final = re.compile(r"(?<!\w)").sub
_ends: Final = re.compile(r"(?!\w)").sub

#: Letters that Python's regular expressions take for one another beside those that differ in case. Left out
#: is U+0345, a mark below a letter that they take for an iota: it is no part of a word, and an iota is.
_ALIKE: Final = (
    *("iı", "sſ", "µμ", "ι\u1fbe", "ΐ\u1fd3", "ΰ\u1fe3", "βϐ", "εϵ", "θϑ", "κϰ", "πϖ", "ρϱ", "ςσ", "φϕ"),
    *("ṡẛ", "ﬅﬆ", "вᲀ", "дᲁ", "оᲂ", "сᲃ", "тᲄᲅ", "ъᲆ", "ѣᲇ", "ᲈꙋ"),
)
#: Capitals of Adlam are the last letters that have a case.
_LAST_CASED: Final = 0x1E943


def _one_case() -> dict[int, int]:
    table = {}
    for number in range(_LAST_CASED + 1):
        small = chr(number).lower()
        if len(small) == 1 and ord(small) != number:
            table[number] = ord(small)
    table[ord("İ")] = ord("i")
    for letters in _ALIKE:
        table |= {ord(letter): ord(letters[0]) for letter in letters[1:]}
    # A capital of one of them leads to the first of them, too.
    return {number: table.get(small, small) for number, small in table.items()} | {ord(_BEGINS): 1}


_ONE_CASE: Final = _one_case()


def _marked(text: str) -> str:
    return _begins(_BEGINS, _ends(_ENDS, text.translate(_ONE_CASE)))


class Blocked:
    """Blocked words, ready to be looked for."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._automaton = ahocorasick.Automaton()
        for word in filter(None, words):
            self._automaton.add_word(_marked(word), word)
        self._automaton.make_automaton()

    def __bool__(self) -> bool:
        return len(self._automaton) > 0

    def in_(self, text: str) -> bool:
        """Whether the text has one of them."""
        return next(self._automaton.iter(_marked(text)), None) is not None

    def found_in(self, text: str) -> list[str]:
        """Those of them that the text has, as they first come."""
        return list(dict.fromkeys(word for _, word in self._automaton.iter(_marked(text)))) if self else []


@lru_cache(maxsize=64)
def blocked_words(words: tuple[str, ...]) -> Blocked:
    """The same, made once: a channel is looked up anew whenever anything about it changes."""
    return Blocked(words)
