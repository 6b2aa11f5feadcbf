"""What a text has: links, mentions, emoji. Made when an event is indexed; queries ask by name."""

import re
from typing import Final

from control.inbox.mentions import names_in
from search_indexer.query.syntax import EMOJI, LINK, MENTION

_LINK: Final = re.compile(r"https?://[^\s]", re.IGNORECASE)
#: Pictures, and the signs that are shown as such; arrows and the like are none.
_EMOJI: Final = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u23e9-\u23fa\u20e3]")


def marks_of(text: str) -> list[str]:
    """The names of what a text has, and `@ana` for each whom it mentions."""
    marks = []
    if "://" in text and _LINK.search(text):
        marks.append(LINK)
    if not text.isascii() and _EMOJI.search(text):
        marks.append(EMOJI)
    if names := names_in(text):
        marks += [MENTION, *(f"@{name}" for name in names)]
    return marks
