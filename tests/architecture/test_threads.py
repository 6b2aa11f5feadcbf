"""Threads of our own use no name that Python's threads have: it would be taken, and nobody would say so."""

import ast
import threading
from pathlib import Path

import pytest

from tests.architecture.test_imports import MODULES, ROOT, parsed

#: What Pythons have that may not be the one that tests: of 3.11 to 3.14.
OTHERS = {"_handle", "_context", "_os_thread_handle", "_set_os_name", "_tstate_lock", "_is_stopped", "_stop"}
TAKEN = {n for n in {*vars(threading.Thread()), *dir(threading.Thread)} if not n.startswith("__")} | OTHERS
#: What is there to be given anew.
MEANT = {"run", "name", "daemon"}


def threads(file: Path) -> list[ast.ClassDef]:
    classes = [node for node in ast.walk(parsed(file)) if isinstance(node, ast.ClassDef)]
    return [c for c in classes if any(ast.unparse(base).endswith("Thread") for base in c.bases)]


THREADS = [(file, found) for file in MODULES for found in threads(file)]


@pytest.mark.parametrize(("file", "thread"), THREADS, ids=[found.name for _, found in THREADS])
def test_a_thread_uses_no_name_of_pythons(file: Path, thread: ast.ClassDef) -> None:
    """In Python 3.13 threads have a `_handle`: an edge that had one, too, read nothing there."""
    methods = {node.name for node in thread.body if isinstance(node, ast.FunctionDef)}
    attributes = {
        node.attr
        for node in ast.walk(thread)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == "self"
    }
    used = (methods | attributes) & TAKEN - MEANT
    assert not used, f"{file.relative_to(ROOT)}: {thread.name} has {sorted(used)}"


def test_there_are_threads_to_look_at() -> None:
    assert THREADS
