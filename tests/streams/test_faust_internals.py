"""What is used of Faust and aiokafka without their promise is still there, and is used in one place only."""

import ast
import inspect
from pathlib import Path

import pytest

from streams.transport import driver, faust_internals
from streams.transport.faust_internals import FOREIGN, Foreign

STREAMS = Path(driver.__file__).parents[1]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda foreign: f"{foreign.owner.__name__}.{foreign.name}")
def test_the_installed_versions_have_every_private_name_that_is_used(foreign: Foreign) -> None:
    if foreign.arguments is None:
        where = getattr(foreign.owner, foreign.set_in)
        code = inspect.unwrap(where).__code__
        assert foreign.name in code.co_names, f"{foreign.set_in} does not set it any more"
    else:
        found = inspect.signature(getattr(foreign.owner, foreign.name))
        assert tuple(found.parameters) == foreign.arguments


def private_names(file: Path) -> set[str]:
    """Private attributes that a module reads or sets, and private methods that it defines."""
    tree = ast.parse(file.read_text("utf-8"))
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found |= {
                each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def test_the_list_names_all_that_the_adapter_uses() -> None:
    own = {"_replace"}
    assert private_names(Path(faust_internals.__file__)) - own == {foreign.name for foreign in FOREIGN}


def test_nothing_else_uses_a_private_name_of_theirs_nor_gives_one_another_meaning() -> None:
    theirs = {name for base in driver.BatchApp.__mro__ + driver.Consumer.__mro__ for name in vars(base)
              if not base.__module__.startswith("streams.")}  # fmt: skip
    theirs |= {foreign.name for foreign in FOREIGN}
    for file in (STREAMS / "transport" / "driver.py", STREAMS / "app.py", STREAMS / "role.py"):
        assert not private_names(file) & theirs, file
