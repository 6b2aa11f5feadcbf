"""Text to words: accents, case, English endings, scripts without spaces; the same for whatever is typed."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_indexer.text.folding import Folding, normalised

FOLDING = Folding()


@pytest.mark.parametrize(
    ("text", "words", "stems"),
    [
        ("Kick-off! The player's GOALS", "kick off the players goals", "kick off the player goal"),
        ("Café Müller’s Straße", "cafe mullers strasse", "cafe muller strass"),
        ("Cafe\u0301 ＧＯＡＬ Łódź", "cafe goal lodz", "cafe goal lodz"),
        ("first_half #wc26", "first half wc26", "first half wc26"),
        ("東京都でgoal", "東京 京都 都で で goal", "東京 京都 都で goal"),
        ("손흥민 골", "손흥 흥민 민 골", "손흥 흥민 골"),
        ("🔥🔥 gooal", "🔥 🔥 gooal", "🔥 🔥 gooal"),
        ("हिन्दी भाषा", "हिन्दी भाषा", "हिन्दी भाषा"),
        ("!!! … —", "", ""),
    ],
)
def test_words_and_stems(text: str, words: str, stems: str) -> None:
    assert FOLDING.fields(text) == (words, stems)


@given(st.text(max_size=60))
def test_words_lie_where_they_say_and_hold_no_spaces(text: str) -> None:
    whole = normalised(text)
    last = 0
    for word in FOLDING.words(text):
        assert word.word
        assert word.stem
        assert not any(c.isspace() for c in word.word + word.stem)
        assert 0 <= word.start < word.end <= len(whole)
        assert word.start >= last
        last = word.start


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=60))
def test_the_quick_way_for_ascii_agrees_with_the_general_one(text: str) -> None:
    # A letter outside of ASCII at the end sends the whole text through the general way.
    general = [word for word in FOLDING.words(text + " é") if word.word != "e" or word.end <= len(text)]
    assert [w[:2] for w in FOLDING.words(text)] == [w[:2] for w in general]


@pytest.mark.parametrize(
    "text",
    ["a" + "\u0301\u0323" * 100_000, "\u0323\u0301" * 100_000, "x" * 500_000, ("\u0301" * 300 + "a") * 600],
    ids=["marks", "marks alone", "one word", "words of marks"],
)
def test_no_text_takes_longer_than_it_is_long(text: str) -> None:
    begun = time.thread_time()
    for word in FOLDING.words(text):
        assert len(word.word) <= 100
    assert time.thread_time() - begun < 5
