"""The site's pages: all are in its menu, and every link leads to one of them. No site is built for that."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.docs.test_links import links

ROOT = Path(__file__).parents[2]


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_site", ROOT / "docs" / "make_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


maker = load()
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("site")
    maker.lay_out(ROOT, folder)
    return folder


def in_menu(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for one in entry.values() if isinstance(entry, dict) else entry:
            yield from in_menu(one)


def test_every_page_is_in_the_menu_once(pages: Path) -> None:
    menu = list(in_menu(CONFIG["nav"]))
    there = {page.relative_to(pages).as_posix() for page in pages.rglob("*.md")}
    records = {name for name in there if re.match(r"decisions/\d", name)}
    assert sorted(menu) == sorted(there - records)
    overview = (pages / "decisions/index.md").read_text("utf-8")
    assert all(f"({Path(name).name})" in overview for name in records), (
        "the page about them lists all records"
    )


def test_every_link_of_the_site_leads_to_a_page_of_it(pages: Path) -> None:
    for page in pages.rglob("*.md"):
        for target in links(page.read_text("utf-8")):
            if not re.match(r"https?:|#", target):
                assert (page.parent / target.partition("#")[0]).is_file(), (
                    f"{page.relative_to(pages)}: {target}"
                )


def test_the_site_takes_nothing_from_elsewhere() -> None:
    assert CONFIG["theme"]["font"] is False
    assert "extra_css" not in CONFIG
    assert "extra_javascript" not in CONFIG
    assert ROOT / CONFIG["docs_dir"] == maker.PAGES


@pytest.mark.parametrize(
    ("page", "here", "there"),
    [
        ("README.md", "[a](docs/clients.md#react)", "[a](clients.md#react)"),
        ("README.md", "[a](docs/decisions/)", "[a](decisions/index.md)"),
        ("README.md", '<img src="docs/images/a.webp">', '<img src="images/a.webp">'),
        ("docs/clients.md", "[a](../CONTRIBUTING.md)", "[a](contributing.md)"),
        ("docs/decisions/0001.md", "[a](../../README.md)", "[a](../index.md)"),
        ("docs/decisions/0001.md", "![b](../images/a.webp)", "![b](../images/a.webp)"),
        ("docs/clients.md", "see [LICENSE](../LICENSE), [x](https://x.y)", "see LICENSE, [x](https://x.y)"),
        ("docs/clients.md", "`[a](../README.md)`", "`[a](../README.md)`"),
        ("docs/clients.md", "```\n[a](../README.md)\n```", "```\n[a](../README.md)\n```"),
        ("docs/clients.md", "[`up`](../README.md) `x` [b](#c)", "[`up`](index.md) `x` [b](#c)"),
    ],
)  # fmt: skip
def test_links_lead_where_pages_lie_on_the_site(page: str, here: str, there: str) -> None:
    paths = {
        "README.md": "index.md",
        "CONTRIBUTING.md": "contributing.md",
        "docs/clients.md": "clients.md",
        "docs/images/a.webp": "images/a.webp",
        "docs/decisions/README.md": "decisions/index.md",
        "docs/decisions/0001.md": "decisions/0001.md",
    }
    assert maker.moved(here, page, paths) == there
