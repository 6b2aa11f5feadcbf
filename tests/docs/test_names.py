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


#: Decisions, changes and profiles name what there was when they were written.
OF_THEN = {"CHANGELOG.md", "performance.md"}
OF_TODAY = [page for page in PAGES if "decisions" not in page.parts and page.name not in OF_THEN]
FOLDERS = "|".join(sorted(file.parent.name for file in ROOT.glob("[a-z]*/__init__.py")))


@pytest.mark.parametrize("page", OF_TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_that_is_named_is_where_it_is_said_to_be(page: Path) -> None:
    for path in re.findall(
        rf"(?<![\w./-])((?:{FOLDERS}|bench|web|clients)/[\w/.]*(?:\.\w+|/))(?![\w*<{{])",
        page.read_text("utf-8"),
    ):
        assert (ROOT / path.rstrip(".")).exists(), path


#: Every file of the project, as `/folder/name.py`.
FILES = [
    f"/{file.relative_to(ROOT)}"
    for folder in ("*.py", "docs/*.py", "tests/**/*.py", "web/**/*.ts*", "clients/**/*.ts*")
    for file in ROOT.glob(folder)
    if "node_modules" not in file.parts
] + [f"/{file.relative_to(ROOT)}" for name in FOLDERS.split("|") for file in (ROOT / name).rglob("*.*")]


@pytest.mark.parametrize("page", OF_TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_file_that_is_named_by_its_end_exists(page: Path) -> None:
    for name in re.findall(r"`([\w./-]+\.(?:py|tsx?))`", page.read_text("utf-8")):
        assert any(file.endswith(f"/{name}") for file in FILES), name


@pytest.mark.parametrize("page", [*OF_TODAY, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_a_module_that_is_to_be_run_exists(page: Path) -> None:
    ours = re.findall(rf"python -m (?:touchline\.)?((?:{FOLDERS}|tests)[\w.]*)", page.read_text("utf-8"))
    for name in (each.rstrip(".") for each in ours):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name


PACKAGES = {file.parent.name for name in FOLDERS.split("|") for file in (ROOT / name).rglob("__init__.py")}


def names_code(name: str) -> bool:
    """Whether there is such a module, or something of that name in one."""
    module, _, last = name.replace(".", "/").rpartition("/")
    return any(
        file.endswith(f"/{module}/{last}.py")
        or (
            file.endswith(f"/{module}.py") and re.search(rf"\b{last}\b", (ROOT / file[1:]).read_text("utf-8"))
        )
        for file in FILES
    )


def test_a_module_that_a_comment_names_exists() -> None:
    """As `delivery.ring`; names of settings and topics look alike, and are others' to check."""
    first = "|".join(sorted(PACKAGES - SECTIONS.keys() - {"settings", "touchline"}))
    for file in (file for file in FILES if file.endswith(".py") and not file.startswith("/tests")):
        for name in re.findall(rf"`((?:{first})(?:\.[a-z_]+)+)`", (ROOT / file[1:]).read_text("utf-8")):
            assert names_code(name), f"{file}: {name}"


def test_the_architecture_names_every_folder_of_the_gateway() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| `gateway/`"))
    for package in (ROOT / "gateway").glob("*/__init__.py"):
        assert f"`{package.parent.name}/`" in row, package.parent.name
