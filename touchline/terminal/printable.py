"""What others have written, made fit for a terminal: none of it moves the cursor or turns text around."""

import re
from typing import Final

#: Controls, marks that turn or part lines, half characters, and what is not to be seen. What joins letters
#: and emoji stays.
_ESCAPED: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def printable(text: str) -> str:
    r"""The text on one line, with escapes in place of what a terminal would obey: `\x1b`, `\n`, `\u202e`."""
    return _ESCAPED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def printable_json(text: str) -> str:
    """JSON on one line that says the same, with such characters escaped in JSON's own way."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
