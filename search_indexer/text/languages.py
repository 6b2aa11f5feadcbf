"""Which of some languages a text is in: one language needs no look, several are told apart by py3langid."""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from kernel import extras
from kernel.errors import TouchlineError

#: Languages whose words are taken apart instead (search_indexer/text/morphemes.py).
TAKEN_APART: Final = frozenset({"korean", "japanese"})
#: Of a long text so much is looked at.
_LOOKED_AT: Final = 500
#: Languages that Snowball has endings of -> as ISO 639 calls them.
CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "arabic": "ar", "armenian": "hy", "basque": "eu", "catalan": "ca", "danish": "da", "dutch": "nl",
        "english": "en", "esperanto": "eo", "estonian": "et", "finnish": "fi", "french": "fr",
        "german": "de", "greek": "el", "hindi": "hi", "hungarian": "hu", "indonesian": "id",
        "irish": "ga", "italian": "it", "lithuanian": "lt", "nepali": "ne", "norwegian": "no",
        "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "serbian": "sr",
        "spanish": "es", "swedish": "sv", "tamil": "ta", "turkish": "tr",
    }
)  # fmt: skip


def languages_of(setting: str) -> tuple[str, ...]:
    """`english,spanish` as a list; the first counts where a text has no words to tell by."""
    return tuple(dict.fromkeys(name.strip() for name in setting.split(",") if name.strip())) or ("english",)


def stemmed_of(setting: str) -> tuple[str, ...]:
    """Those of the setting's languages whose words have endings of Snowball's; English where it has none."""
    return tuple(name for name in languages_of(setting) if name not in TAKEN_APART) or ("english",)


@cache
def detector(languages: tuple[str, ...]) -> Callable[[str], str]:
    """Says of a text which of these languages it is in. The same text is always in the same one.

    Raises `bad_setting` for languages that cannot be told apart, and where the extra `languages` is missing.
    """
    if len(languages) == 1:
        return lambda _: languages[0]
    extras.check("languages", "An index in several languages")
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - an extra's

    unknown = [name for name in languages if name not in CODES]
    if unknown:
        raise TouchlineError(
            "bad_setting", f"elasticsearch.language: {unknown[0]} cannot be told apart from others."
        )
    names = {CODES[name]: name for name in languages}
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(names))

    def detect(text: str) -> str:
        return names[identifier.classify(text[:_LOOKED_AT])[0]] if text else languages[0]

    return detect
