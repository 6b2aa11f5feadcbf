"""Lays out the site's pages, for `make site`: docs/ and the pages at the root, with links that lead there.

In the repository a page links to files as they lie there, so that whoever reads it there can follow. A site
has only pages: a link to anything else becomes its text.
"""

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Final

ROOT: Final = Path(__file__).parents[1]
#: Where mkdocs.yml has them from.
PAGES: Final = ROOT / "build" / "site-pages"
#: Pages at the root, and how the site has them.
AT_ROOT: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "SECURITY.md": "reporting.md",
}
#: A block of code, a link, code in a line, a picture in HTML: of these the second and the last are changed.
_PARTS: Final = re.compile(
    r"(?P<block>^(```|~~~).*?^\2[^\n]*$)"
    r"|(?P<picture>!?)\[(?P<said>(?:[^][]|\[[^]]*])*)]\((?P<link>[^)\s]+)\)"
    r"|(?P<code>`[^`\n]*`)"
    r"|(?P<before><img[^>]*\ssrc=\")(?P<source>[^\"]+)",
    re.MULTILINE | re.DOTALL,
)


def site_paths(root: Path) -> dict[str, str]:
    """Each file of the repository that the site has -> its place there."""
    found = {name: there for name, there in AT_ROOT.items() if (root / name).is_file()}
    for file in sorted((root / "docs").rglob("*")):
        if file.is_file() and file.suffix in (".md", ".webp", ".png", ".svg", ".json"):
            name = file.relative_to(root / "docs")
            there = name.with_name("index.md") if name.name == "README.md" else name
            found[file.relative_to(root).as_posix()] = there.as_posix()
    return found


def moved(text: str, page: str, paths: Mapping[str, str]) -> str:
    """A page of the repository, as the site has it."""

    def target(link: str) -> str | None:
        """The link as it is on the site; None where it leads to something that the site does not have."""
        if re.match(r"[a-z]+:|#", link):
            return link
        path, hash_, anchor = link.partition("#")
        file = normpath((PurePosixPath(page).parent / path).as_posix())
        there = paths.get(file) or paths.get(f"{file}/README.md")
        if there is None:
            return None
        return f"{relpath(there, PurePosixPath(paths[page]).parent.as_posix())}{hash_}{anchor}"

    def part(found: re.Match[str]) -> str:
        if found["link"]:
            new = target(found["link"])
            return found["said"] if new is None else f"{found['picture']}[{found['said']}]({new})"
        if found["source"]:
            return f"{found['before']}{target(found['source']) or found['source']}"
        return found[0]

    return _PARTS.sub(part, text)


def decisions(root: Path) -> str:
    """The list of all records, for the page about them."""
    records = sorted((root / "docs" / "decisions").glob("0*.md"))
    titles = {file.name: file.read_text("utf-8").partition("\n")[0].removeprefix("# ") for file in records}
    return "\n" + "".join(f"- [{title}]({name})\n" for name, title in titles.items())


def lay_out(root: Path, pages: Path) -> list[Path]:
    """Write all pages anew; returns them."""
    shutil.rmtree(pages, ignore_errors=True)
    paths = site_paths(root)
    for name, there in paths.items():
        place = pages / there
        place.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".md"):
            text = moved((root / name).read_text("utf-8"), name, paths)
            place.write_text(text + (decisions(root) if there == "decisions/index.md" else ""), "utf-8")
        else:
            shutil.copy(root / name, place)
    return [pages / there for there in paths.values()]


if __name__ == "__main__":
    sys.stdout.write(f"{len(lay_out(ROOT, PAGES))} files for the site\n")
