"""What a text is about, as a vector: texts that mean the like are near each other. For searches by meaning.

The model is WordLlama's (its package has the weights): a vector for each of 32,000 pieces of words, so
that the mean of a text's says what it is about. Nothing is loaded from anywhere, nobody else is asked.
"""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from kernel import extras
from kernel.settings.reading import Settings

DIMENSIONS: Final = 256
#: Of a text so much says what it is about.
_LOOKED_AT: Final = 1_000
#: Below this nothing can be told: a text of signs alone.
_NOTHING: Final = 1e-6


class Meanings:
    """Makes vectors. Safe to share between threads."""

    def __init__(self) -> None:
        """Raises `not_installed` where the extra is missing."""
        self._model = _model()

    def of(self, text: str) -> list[int] | None:
        """Of a text; None where it has no words that the model knows."""
        return self.of_all([text])[0]

    def of_all(self, texts: Sequence[str]) -> list[list[int] | None]:
        """Of texts, each in signed bytes: a quarter of the room, and the same order."""
        import numpy as np  # noqa: PLC0415 - an extra's

        if not texts:
            return []
        # Without words, whatever it says: an empty text has no mean.
        made = self._model.embed([text[:_LOOKED_AT] or "." for text in texts], norm=False)
        largest = np.abs(made).max(axis=1, keepdims=True)
        scaled = np.rint(made / np.maximum(largest, _NOTHING) * 127).astype(np.int8)
        return [
            row.tolist() if text.strip() and most[0] > _NOTHING else None
            for text, row, most in zip(texts, scaled, largest, strict=True)
        ]


@cache
def _model() -> Any:
    extras.check("meaning", "A search by meaning")
    import wordllama  # noqa: PLC0415 - an extra's

    # Its own folder: by itself it looks for the tokenizer where its package does not have it.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


def model_name() -> str:
    """What vectors are made with: those of another one cannot be compared."""
    return f"wordllama {version('wordllama')}, l2_supercat, {DIMENSIONS} bytes"


def as_hex(vector: Sequence[int]) -> str:
    """As Elasticsearch takes signed bytes at the least length."""
    return bytes(value & 0xFF for value in vector).hex()


def meanings_of(settings: Settings) -> Meanings | None:
    """What makes vectors, where they are wanted."""
    return Meanings() if settings.elasticsearch.meaning else None
