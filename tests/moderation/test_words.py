"""Blocked words: found as the regular expression finds them, in time that the text alone decides."""

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from control.channels.channel import Settings
from control.moderation.words import MAX_LOOKED_AT, Blocked
from tests.streams.judging import chat, fold, make_judge

#: Cases of one letter, letters that are taken for one another, marks, and what is no letter.
SIGNS = "aAbBkK\u212asSſiıİµμςσΣéÉe\u0301_0-. \n*(|\\"
texts = st.text(SIGNS, max_size=24) | st.text(max_size=24).map(lambda text: text.replace("\0", ""))
words = st.lists(st.text(SIGNS, min_size=1, max_size=4) | st.text("ab c", min_size=1), min_size=1, max_size=6)


@given(words=words, text=texts)
def test_what_is_found_is_what_the_regular_expression_finds(words: list[str], text: str) -> None:
    pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)"
    expected = re.search(pattern, text, re.IGNORECASE) is not None
    # The one exception: a mark below a letter that is taken for an iota there (control/moderation/words.py).
    if "\u0345" not in text:
        assert Blocked(tuple(words)).in_(text) is expected


def test_every_letter_is_found_in_every_case_of_it() -> None:
    for number in range(0x250):
        letter = chr(number)
        if letter.isalpha():
            for other in {letter.lower(), letter.upper()}:
                expected = re.search(rf"(?<!\w){letter}(?!\w)", other, re.IGNORECASE) is not None
                assert Blocked((letter,)).in_(other) is expected, (letter, other)


def test_thousands_of_words_that_nearly_match_everywhere_cost_no_more_than_the_text() -> None:
    blocked = Blocked(tuple(f"w{n:05x}" for n in range(6_900)) + tuple("w" * n for n in range(2, 100)))
    for text in ("w0 " * (MAX_LOOKED_AT // 3), "w" * MAX_LOOKED_AT, "." * MAX_LOOKED_AT):
        began = time.process_time()
        assert not blocked.in_(text)
        assert time.process_time() - began < 0.25


def test_a_text_that_is_too_long_to_be_looked_at_is_refused_not_passed() -> None:
    judge = make_judge(settings=Settings(blocked=("spoiler",)))
    padded = "x " * MAX_LOOKED_AT + "spoiler"
    outcome = fold(judge, chat(1, padded), chat(2, "no harm"), chat(3, "a SPOILER!"))
    assert outcome.rejected == {"too_large": 1, "moderated": 1}
    assert outcome.accepted == {b"final": 1}
