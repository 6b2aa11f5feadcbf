"""Whom a text mentions: `@<user>`, wherever it stands. Pure."""

import re
from typing import Final

#: Names of one message, at most.
MOST: Final = 100
_LONGEST: Final = 128
_NAME: Final = re.compile(r"@([\w.\-]{1,128})")


def names_in(text: str) -> tuple[str, ...]:
    """The names behind an `@`, each once. A dot or dash at a name's end is the sentence's: both are named."""
    if "@" not in text:
        return ()
    found: dict[str, None] = {}
    for match in _NAME.finditer(text):
        name = match[1]
        while name and len(found) < MOST:
            found[name] = None
            shorter = name.rstrip(".-")
            name = "" if shorter == name else shorter
    return tuple(found)


def other_names_in(text: str, users: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these users whose names have other signs than a word has, and who are mentioned."""
    if "@" not in text:
        return ()
    return tuple(user for user in users if not _NAME.fullmatch("@" + user) and f"@{user}" in text)[:MOST]
