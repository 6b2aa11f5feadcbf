"""The reference pages, and what the JavaScript client and the pages share, say what the code says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = maker()


@pytest.mark.parametrize("page", MAKER.PAGES)
def test_a_page_is_what_the_code_would_write(page: str) -> None:
    assert (DOCS / page).read_text("utf-8") == MAKER.PAGES[page](), "run `make docs`"
