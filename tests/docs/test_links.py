"""Every link of the docs leads somewhere: to a file of the repository, and to a heading that is there."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("clients/*/*.md")),
]
_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(
    r"!?\[(?:[^][]|\[[^]]*])*]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|<img[^>]*\ssrc=\"([^\"]+)\""
)
_REFERENCE = re.compile(r"^\[[^]]+]:\s+(\S+)", re.MULTILINE)


def plain(text: str) -> str:
    """Without blocks of code, and without code in a line."""
    return re.sub(r"`[^`\n]*`", "", _CODE.sub("", text))


def links(text: str) -> list[str]:
    """Where a page leads, pictures included."""
    text = plain(text)
    return [one or other for one, other in _LINK.findall(text)] + _REFERENCE.findall(text)


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    words = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    text = _CODE.sub("", page.read_text("utf-8"))
    found = [slug(heading) for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text, re.MULTILINE)]
    again = [
        f"{name}-{found[:place].count(name)}" for place, name in enumerate(found) if name in found[:place]
    ]
    return frozenset([*found, *again, *re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)])


def broken(page: Path, target: str) -> str | None:
    """What is wrong with a link."""
    if re.match(r"(https?|mailto):", target):
        return None
    path, _, anchor = target.partition("#")
    if path.startswith("/"):
        return "it begins at the root of whatever shows the page"
    file = (page.parent / path).resolve() if path else page
    if not file.is_relative_to(ROOT) or not file.exists():
        return "there is no such file"
    if anchor and file.suffix == ".md" and anchor not in anchors(file):
        return f"{file.relative_to(ROOT)} has no heading {anchor}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    wrong = {target: why for target in links(page.read_text("utf-8")) if (why := broken(page, target))}
    assert wrong == {}


def test_links_are_found_and_those_that_lead_nowhere_are_told() -> None:
    text = (
        '[a](x.md) `[b](y.md)` ![c](docs/z.png "z")\n```\n[d](d.md)\n```\n'
        '[e]: e.md\n[`f`](f.md#g)\n<img src="h.png">'
    )
    assert links(text) == ["x.md", "docs/z.png", "f.md#g", "h.png", "e.md"]
    readme = ROOT / "README.md"
    assert broken(readme, "docs/protocol.md#the-viewer-protocol") is None
    assert broken(readme, "#use-it") is None
    assert broken(readme, "docs/protocol.md#nothing") == "docs/protocol.md has no heading nothing"
    assert broken(readme, "docs/nothing.md") == "there is no such file"
    assert broken(readme, "../outside.md") == "there is no such file"
    assert slug("`touchline up`: all, at once_2!") == "touchline-up-all-at-once_2"
