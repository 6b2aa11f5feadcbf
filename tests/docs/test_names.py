"""What the docs name is there: files, commands, settings, make targets, metrics, error codes."""

import re
from pathlib import Path

import pytest

from bench.peers.installing import CENTRIFUGO, TILE38
from kernel.process.metrics import registry
from kernel.settings.reading import PREFIX, SECTIONS
from touchline.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SETTINGS = {
    f"{PREFIX}{section}_{field}".upper()
    for section, kind in SECTIONS.items()
    for field in kind.__struct_fields__
} | {f"{PREFIX}CONFIG"}


def pages() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pages()
def test_a_command_that_is_named_exists(page: Path) -> None:
    for command in re.findall(r"`(?:\.venv/bin/)?touchline ([a-z]+)", page.read_text("utf-8")):
        assert command in COMMANDS, f"touchline {command}"


@pages()
def test_a_setting_that_is_named_exists(page: Path) -> None:
    for name in re.findall(rf"\b{PREFIX}[A-Z0-9_]+\b", page.read_text("utf-8")):
        known = (
            name in {*SETTINGS, CENTRIFUGO, TILE38, f"{PREFIX}TOKEN", f"{PREFIX}TESTS_SERVERS"}
            or name.startswith(f"{PREFIX}KAFKA_")
            or name.endswith("_")
        )
        assert known or any(s.startswith(f"{name}_") for s in SETTINGS), name


@pages()
def test_a_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for name in re.findall(r"`make ([a-z-]+)", page.read_text("utf-8")):
        assert name in targets, f"make {name}"


@pages()
def test_a_metric_that_is_named_exists(page: Path) -> None:
    names = {family.name for family in registry().collect()}
    known = names | {f"{n}_{suffix}" for n in names for suffix in ("total", "bucket", "count", "sum")}
    for name in re.findall(r"`(touchline_[a-z_]+)`", page.read_text("utf-8")):
        assert name in known, name
