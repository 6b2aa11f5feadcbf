"""The examples of a page of docs/, for tests that run them."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def example(page: str, language: str) -> str:
    """The page's one block of code in this language."""
    found = re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    assert len(found) == 1, (page, language, len(found))
    return str(found[0])
