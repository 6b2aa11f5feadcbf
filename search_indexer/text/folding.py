"""How text becomes words: one function for documents, queries, highlights and alerts, so that they agree.

Elasticsearch gets words that are ready, separated by spaces: the embedded server lacks the analyzers that
could do this, and two implementations would differ.
"""

import re
import unicodedata
from collections.abc import Callable
from copy import copy
from functools import cache, lru_cache
from typing import Final, NamedTuple

import snowballstemmer

from schemas.combining_marks import bounded
from search_indexer.text.languages import detector, languages_of, stemmed_of
from search_indexer.text.morphemes import readers_of

#: Scripts written without spaces (and Korean, whose endings stick to its words): found by pairs of letters.
_CJK: Final = (
    r"\u1100-\u11ff\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0002fa1f"
)
#: Emoji and other pictures: each is a word.
_PICTURES: Final = r"\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
#: Marks that are left out: accents, and the vowel points of Arabic and Hebrew.
_ACCENTS: Final = re.compile(r"[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]")
_APOSTROPHES: Final = re.compile("['’ʼ]")
#: Letters that no decomposition takes apart.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"}
)
#: Lucene's tokenizer cuts at 255; nobody means more.
_LONGEST: Final = 100
#: Of a longer word no more is looked at, nor remembered: letters of it may come with marks.
_LOOKED_AT: Final = 4 * _LONGEST
_ASCII_WORD: Final = re.compile(r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")
#: Between a text's words and each further reading of it: nobody can ask for it, so no phrase goes across.
_GAP: Final = "|"


class Word(NamedTuple):
    """A word of a text: as it is compared, its stem, and where it stands in the (normalised) text."""

    word: str
    stem: str
    start: int
    end: int
    #: One of the pairs of a script without spaces.
    pair: bool = False


@cache
def _anything() -> re.Pattern[str]:
    # Vowel signs of Indic and South-East Asian scripts are not \w to Python, yet within words.
    marks = "".join(chr(c) for c in range(0x300, 0x3000) if unicodedata.category(chr(c)) in {"Mn", "Mc"})
    letter = rf"(?:(?![{_CJK}])[^\W_])"
    return re.compile(
        rf"(?P<cjk>[{_CJK}]+)"
        rf"|(?P<word>{letter}(?:{letter}|[{marks}])*(?:['’ʼ](?:{letter}|[{marks}])+)*)"
        rf"|(?P<picture>[{_PICTURES}])"
    )


#: A word as it is compared, and its stem.
Folded = Callable[[str], tuple[str, str]]


def _folded(language: str) -> Folded:
    stem: Callable[[str], str] = snowballstemmer.stemmer(language).stemWord

    @lru_cache(maxsize=200_000)
    def folded(raw: str) -> tuple[str, str]:
        word = fold(raw)
        whole = _APOSTROPHES.sub("", word)[:_LONGEST]
        # The stemmer takes a plain apostrophe's ending off: player's -> player.
        return whole, (_APOSTROPHES.sub("", stem(_APOSTROPHES.sub("'", word)))[:_LONGEST] or whole)

    # A word may be as long as a text: hundreds of thousands of them would be remembered otherwise.
    return lambda raw: folded(raw[:_LOOKED_AT])


class Folding:
    """Words of a language, or of several: of each text those of the one that it is in; and the further
    readings that Korean and Japanese have.

    Safe to share between threads: what it caches never changes."""

    def __init__(self, language: str = "english") -> None:
        """`language`: one that Snowball knows, or several with commas between them; `korean`, `japanese`."""
        languages = stemmed_of(language)
        self._by_language = {name: _folded(name) for name in languages}
        self._detect = detector(languages)
        self._readers = readers_of(languages_of(language))

    def in_(self, language: str) -> "Folding":
        """The same of texts that are known to be in one of its languages; queries are read alike."""
        told = copy(self)
        told._detect = lambda _: language
        return told

    def _of(self, text: str) -> Folded:
        return self._by_language[self._detect(text)]

    def words(self, text: str) -> list[Word]:
        """The words of a text, in order. Positions are those in `normalised(text)`."""
        words = _words(text, self._of(text))
        for reading in self._readings(text):
            words += [Word(_GAP, _GAP, len(text), len(text)), *reading]
        return words

    def _readings(self, text: str) -> list[list[Word]]:
        """What Korean and Japanese words of the text are besides pairs."""
        if not self._readers or text.isascii():
            return []
        text = normalised(text)
        return [
            [Word(part.spelt, part.lemma, part.start, part.end) for part in reading]
            for read in self._readers
            for reading in read(text)
        ]

    def variants(self, text: str) -> list[list[Word]]:
        """The words of (part of) a query as texts of each language may have them, without repetitions."""
        found: dict[tuple[str, ...], list[Word]] = {}
        for folded in self._by_language.values():
            words = _words(text, folded)
            found.setdefault(tuple(word.stem for word in words), words)
        # Of what has other words too, a phrase of pairs has all of it; a reading would leave these out.
        if all(word.pair for words in found.values() for word in words):
            for words in self._readings(text):
                found.setdefault(tuple(word.stem for word in words), words)
        return list(found.values())

    def fields(self, text: str) -> tuple[str, str]:
        """What the index is given: the words and the stems, each as one text."""
        folded = self._of(text)
        if text.isascii():
            pairs = [folded(raw) for raw in _ASCII_WORD.findall(text)]
            return " ".join([word for word, _ in pairs]), " ".join([stem for _, stem in pairs])
        words = _words(text, folded) if not self._readers else self.words(text)
        return " ".join(index_words(words)), " ".join([w.stem for w in words])


def _words(text: str, folded: Folded) -> list[Word]:
    if text.isascii():
        return [Word(*folded(found[0]), found.start(), found.end()) for found in _ASCII_WORD.finditer(text)]
    words: list[Word] = []
    for found in _anything().finditer(normalised(text)):
        start, raw = found.start(), found[0]
        if found.lastgroup == "word":
            if folded(raw)[0]:
                words.append(Word(*folded(raw), start, found.end()))
        elif found.lastgroup == "picture":
            words.append(Word(raw, raw, start, found.end()))
        else:
            words += _pairs(raw, start)
    return words


def index_words(words: list[Word]) -> list[str]:
    """What the field `words` gets. Pairs hide the last character of a run: it is added, to be found alone."""
    made = []
    for i, word in enumerate(words):
        if word.word == _GAP:
            continue
        made.append(word.word)
        ends = i + 1 == len(words) or not words[i + 1].pair or words[i + 1].start >= word.end
        if word.pair and ends and len(word.word) > 1:
            made.append(word.word[-1])
    return made


def normalised(text: str) -> str:
    """The text with characters composed: what positions of words refer to."""
    return text if text.isascii() else unicodedata.normalize("NFC", bounded(text))


def fold(raw: str) -> str:
    """A word without case and accents; full-width and other variants of a letter are that letter."""
    if raw.isascii():
        return raw.lower()
    raw = bounded(raw)
    apart = _ACCENTS.sub("", unicodedata.normalize("NFKD", raw).casefold())
    folded = unicodedata.normalize("NFC", _ACCENTS.sub("", apart)).translate(_LETTERS)
    return "".join(folded.split())  # some letters come apart with a space in between


def _pairs(raw: str, start: int) -> list[Word]:
    """東京都 -> 東京, 京都: any two characters of it are found, in their order."""
    if len(raw) == 1:
        one = unicodedata.normalize("NFKC", raw)
        return [Word(one, one, start, start + 1, pair=True)]
    found = []
    for i in range(len(raw) - 1):
        two = unicodedata.normalize("NFKC", raw[i : i + 2])
        found.append(Word(two, two, start + i, start + i + 2, pair=True))
    return found
