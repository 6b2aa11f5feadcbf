"""Combining marks without an end: bounded before anything is normalised, refused where it is no text."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from schemas.checks import check_ingest
from schemas.combining_marks import KEPT, MOST, bounded, too_many

PAINT = "e" + "\u0323\u0301" * 500


def test_a_run_of_marks_is_cut_and_what_people_write_is_not() -> None:
    assert bounded(f"a{PAINT}b") == f"a{PAINT[: KEPT + 1]}b"
    for text in ("Crème brûlée", "Tiếng Việt", "हिन्दी", "שָׁלוֹם", "x" * 1000):
        assert bounded(text) == text


@given(st.text(alphabet="ae\u0301\u0323\u0344\u05b0\u3099\U0001d165\u0f73", max_size=300))
def test_what_is_bounded_is_quick_to_normalise(text: str) -> None:
    longest = run = 0
    for letter in unicodedata.normalize("NFKD", bounded(text)):
        run = run + 1 if unicodedata.combining(letter) else 0
        longest = max(longest, run)
    assert longest <= 4 * KEPT


def said(text: str) -> dict[str, object]:
    data = {"text": text, "target": None, "extra": None}
    return {"type": "message", "key": None, "sender": None, "client_ts": None, "data": data}


def test_the_door_refuses_what_says_nothing_any_more() -> None:
    check_ingest(Kind.CHAT, said("z" + "\u0301" * MOST))
    with pytest.raises(TouchlineError, match="combining marks"):
        check_ingest(Kind.CHAT, said("z" + "\u0301" * (MOST + 1)))


def test_looking_costs_as_much_as_the_text_is_long() -> None:
    begun = time.thread_time()
    assert too_many("\u0301" * 1_000_000)
    assert len(bounded("\u0301\u0323" * 500_000)) == KEPT
    assert time.thread_time() - begun < 5
