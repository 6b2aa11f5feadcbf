"""Korean and Japanese words taken apart: what endings and compounds hide, as further readings of a text.

Pairs of characters stay what they are. A reading stands behind them: the words of a text in the form that
a dictionary has, without particles and endings; and once more with compounds left whole, where there are any.
"""

import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Final, NamedTuple

from kernel import extras
from schemas.combining_marks import bounded

#: Of a long text so much is read so.
LOOKED_AT: Final = 5_000
_HANGUL: Final = re.compile(r"[\uac00-\ud7a3]")
_KANA_OR_HAN: Final = re.compile(r"[\u3041-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f]")
#: Kiwi's tags of what says something by itself; of verbs and adjectives the dictionary's form counts.
_NOUNS: Final = frozenset({"NNG", "NNP", "XR"})
_WITHIN_NOUNS: Final = frozenset({*_NOUNS, "NNB", "NR", "XPN", "XSN"})
_VERBS: Final = frozenset({"VV", "VA"})
_OTHERS: Final = frozenset({"MAG", "IC", "NR", "NP"})
#: Vowels that sound alike, and from how many syllables on they are one.
_SOUND_ALIKE: Final = str.maketrans({"\u1162": "\u1166", "\u1164": "\u1168"})
_LONG: Final = 3
#: Sudachi's parts of speech of what says nothing by itself.
_PARTICLES: Final = frozenset({"助詞", "助動詞", "補助記号", "記号", "空白", "接続詞"})


class Part(NamedTuple):
    """A word as a dictionary has it, as typos are told in it, and where it stands in the text."""

    lemma: str
    spelt: str
    start: int
    end: int


#: A text, read: in its words; and with compounds whole, where that is another reading.
Readings = Sequence[Sequence[Part]]
_Reader = Callable[[str], Readings]


def readers_of(languages: Iterable[str]) -> list[_Reader]:
    """What reads texts in those of the languages that have no endings of Snowball's.

    Raises `not_installed` where a language's extra is missing."""
    return [_READERS[name]() for name in languages if name in _READERS]


def analysers_of(languages: Iterable[str]) -> list[str]:
    """The packages, with versions, that decide how words of these languages are made."""
    packages = [package for name in languages for package in PACKAGES.get(name, ())]
    return [f"{package} {version(package)}" for package in packages]


def _korean_part(lemma: str, start: int, end: int) -> Part:
    """Typos are told letter by letter: 메시지 and 메세지 differ in one. Verbs end in 다: left out.

    ㅐ and ㅔ sound alike: in longer words, as those of other languages are, they are one letter."""
    spelt = unicodedata.normalize("NFD", lemma.removesuffix("다") if len(lemma) > 1 else lemma)
    if len(lemma) >= _LONG:
        lemma = unicodedata.normalize("NFC", unicodedata.normalize("NFD", lemma).translate(_SOUND_ALIKE))
    return Part(lemma, spelt, start, end)


@cache
def _korean() -> _Reader:
    extras.check("korean", "An index of Korean words")
    from kiwipiepy import Kiwi  # noqa: PLC0415 - an extra's

    # Names of several words and other people's typos double what it holds in memory (332 MB without).
    kiwi = Kiwi(num_workers=1, load_multi_dict=False, load_typo_dict=False)
    lock = threading.Lock()

    def read(text: str) -> Readings:
        if not _HANGUL.search(text):
            return ()
        with lock:
            tokens = kiwi.tokenize(bounded(text[:LOOKED_AT]))
        words: list[Part] = []
        whole: list[Part] = []
        nouns: list[Part] = []
        for token in tokens:
            tag, start, end = token.tag.partition("-")[0], token.start, token.start + token.len
            if nouns and (tag not in _WITHIN_NOUNS or start != nouns[-1].end):
                whole.append(_joined(nouns))
                nouns = []
            if not _HANGUL.search(token.form):
                continue
            if tag in _WITHIN_NOUNS:
                nouns.append(Part(token.form, token.form, start, end))
            if tag in _VERBS:
                part = _korean_part(token.lemma, start, max(end, start + 1))
            elif tag in _NOUNS or tag in _OTHERS:
                part = _korean_part(token.form, start, end)
            else:
                continue
            words.append(part)
            if tag not in _WITHIN_NOUNS:
                whole.append(part)
        if nouns:
            whole.append(_joined(nouns))
        return _different(words, whole)

    return read


def _joined(nouns: Sequence[Part]) -> Part:
    return _korean_part("".join(part.lemma for part in nouns), nouns[0].start, nouns[-1].end)


@cache
def _japanese() -> _Reader:
    extras.check("japanese", "An index of Japanese words")
    from sudachipy import Dictionary, SplitMode  # noqa: PLC0415 - an extra's

    tokenizer = Dictionary(dict="small").tokenizer()
    lock = threading.Lock()  # it reads one text at a time

    def parts(text: str, mode: SplitMode) -> list[Part]:
        found = []
        for token in tokenizer.tokenize(text, mode):
            if token.part_of_speech()[0] in _PARTICLES or not _KANA_OR_HAN.search(token.surface()):
                continue
            lemma = "".join(unicodedata.normalize("NFKC", token.normalized_form()).split())
            found.append(Part(lemma, lemma, token.begin(), token.end()))
        return found

    def read(text: str) -> Readings:
        if not _KANA_OR_HAN.search(text):
            return ()
        text = bounded(text[:LOOKED_AT])
        with lock:
            return _different(parts(text, SplitMode.A), parts(text, SplitMode.C))

    return read


def _different(words: Sequence[Part], whole: Sequence[Part]) -> Readings:
    """The readings that say something, each once."""
    if not words:
        return (whole,) if whole else ()
    return (words,) if [p.lemma for p in words] == [p.lemma for p in whole] else (words, whole)


_READERS: Final[Mapping[str, Callable[[], _Reader]]] = MappingProxyType(
    {"korean": _korean, "japanese": _japanese}
)
#: Language -> the packages that its words are made by.
PACKAGES: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {"korean": ("kiwipiepy", "kiwipiepy_model"), "japanese": ("sudachipy", "sudachidict_small")}
)
