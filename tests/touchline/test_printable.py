"""What others have written reaches a terminal as text, and as JSON it says the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.terminal.printable import printable, printable_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("\ud800", r"\ud800"),
        *[(text, text) for text in ("Olé, 東京", "👨‍👩‍👧 🏴\U000e0067\U000e007f", "نمی‌خواهم")],
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_escaped_json_says_the_same(text: str) -> None:
    shown = printable_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == text
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
