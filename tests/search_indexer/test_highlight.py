"""Highlights: what was found is marked, and nothing in a message becomes markup."""

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from search_indexer.query.highlight import LENGTH, highlight
from search_indexer.query.parser import BadQuery, parse
from search_indexer.text.folding import Folding, normalised

FOLDING = Folding()


def marked(query: str, text: str) -> str:
    return highlight(parse(query, FOLDING), text, FOLDING)


def test_marks_what_was_found() -> None:
    assert marked("goal", "What GOALS!") == "What <mark>GOALS</mark>!"
    assert marked("penalty", "no penatly") == "no <mark>penatly</mark>"
    assert marked('"half time"', "half of time, half time") == (
        "half of time, <mark>half</mark> <mark>time</mark>"
    )
    assert marked("pen*", "a pen, penalties") == "a <mark>pen</mark>, <mark>penalties</mark>"
    assert marked("-red goal", "red goal") == "red <mark>goal</mark>"
    assert marked("東京都", "東京都だ") == "<mark>東京都</mark>だ"
    assert marked("", "all of it") == "all of it"


def test_a_message_cannot_bring_markup() -> None:
    assert marked("script", "<script>alert('x')</script>") == (
        "&lt;<mark>script</mark>&gt;alert(&#x27;x&#x27;)&lt;/<mark>script</mark>&gt;"
    )
    assert marked("mark", "</mark><img src=x>") == "&lt;/<mark>mark</mark>&gt;&lt;img src=x&gt;"


def test_a_long_text_is_cut_around_what_was_found() -> None:
    shown = marked("needle", "hay " * 500 + "needle " + "hay " * 500)
    assert shown.startswith("…hay")
    assert shown.endswith("…")
    assert "<mark>needle</mark>" in shown
    assert len(unescape(re.sub("</?mark>", "", shown))) <= LENGTH + 2


@given(st.text(max_size=20), st.text(max_size=300))
def test_without_marks_it_is_the_text(query: str, text: str) -> None:
    try:
        shown = marked(query, text)
    except BadQuery:
        return
    plain = re.sub("</?mark>", "", shown)
    assert "<" not in plain
    assert ">" not in plain
    assert unescape(plain).strip("…") in normalised(text) or "…" in text or "&" in text
