"""Rewrites a module's imports for the wheel, where a folder of the repository lives inside of one package.

`from kernel.clock import Clock` is `from touchline.kernel.clock import Clock` in the wheel. Only import
statements change, where the parser found them: every line keeps its number, so a traceback of an installed
Touchline leads to the right line of the repository. What cannot be mapped raises `Unmapped`: the build fails.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath

#: Functions that import what they are given by name.
_BY_NAME = frozenset({"import_module", "__import__", "run_module", "resolve_name"})


class Unmapped(Exception):  # noqa: N818 - it reads as what it says
    """Something names a module in a way that would be wrong in the wheel."""


@dataclass(frozen=True)
class Layout:
    """Which modules there are, and which folders of the repository the wheel carries inside of `home`."""

    home: str
    inside: frozenset[str]
    modules: frozenset[str]
    #: Folders of the repository that no wheel has: tests, tools.
    outside: frozenset[str] = field(default=frozenset())

    def mapped(self, name: str) -> str:
        """The module's name in the wheel."""
        return f"{self.home}.{name}" if _top(name) in self.inside else name

    def ours(self, name: str) -> bool:
        """Whether this is a name of the repository, of whatever folder."""
        return _top(name) in self.inside or _top(name) in self.outside or _top(name) == self.home


def module_name(path: str) -> str:
    """`kernel/clock.py` is kernel.clock, `kernel/__init__.py` is kernel."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layout(home: str, inside: Iterable[str], files: Iterable[str], folders: Iterable[str]) -> Layout:
    """From the paths that the wheel's Python files have in the repository, and its top-level folders."""
    mapped = frozenset(inside)
    modules = {module_name(file) for file in files}
    packages = {
        ".".join(name.split(".")[:depth]) for name in modules for depth in range(1, name.count(".") + 1)
    }
    return Layout(home, mapped, frozenset(modules | packages), frozenset(folders) - mapped - {home})


def rewritten(source: str, path: str, layout: Layout) -> str:
    """The module as the wheel has it. Raises `Unmapped` where that cannot be known."""
    tree = ast.parse(source, path)
    wrong = [*_unknown_imports(tree, layout), *_names_in_strings(tree, layout)]
    if wrong:
        raise Unmapped("\n".join(f"{path}:{line}: {sentence}" for line, sentence in sorted(wrong)))
    lines = source.encode("utf-8").splitlines(keepends=True)  # the parser counts columns in bytes
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    text = b"".join(lines)
    for begin, end, new in sorted(_changes(tree, starts, layout), reverse=True):
        if b"\n" in text[begin:end] or not text[begin:end].startswith((b"from ", b"import ")):
            raise Unmapped(f"{path}: {text[begin:end].decode()!r} is written in a way that is not understood")
        text = text[:begin] + new.encode() + text[end:]
    result = text.decode("utf-8")
    ast.parse(result, path)
    return result


def _top(name: str) -> str:
    return name.partition(".")[0]


def _changes(tree: ast.Module, starts: list[int], layout: Layout) -> Iterator[tuple[int, int, str]]:
    """What to put in the place of which bytes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and layout.mapped(node.module) != node.module:
            # Only the name behind `from` changes: `from kernel.clock import (…` may go on for lines.
            begin = starts[node.lineno - 1] + node.col_offset
            yield begin, begin + len("from ") + len(node.module), f"from {layout.mapped(node.module)}"
        elif isinstance(node, ast.Import) and any(layout.mapped(a.name) != a.name for a in node.names):
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
            yield begin, end, "; ".join(_import(alias, layout) for alias in node.names)


def _import(alias: ast.alias, layout: Layout) -> str:
    new = layout.mapped(alias.name)
    if alias.asname:
        return f"import {new} as {alias.asname}"
    if new == alias.name:
        return f"import {new}"
    # `import kernel.clock` binds `kernel`: so must what comes in its place.
    top = f"from {layout.home} import {_top(alias.name)}"
    return top if "." not in alias.name else f"import {new}; {top}"


def _unknown_imports(tree: ast.Module, layout: Layout) -> Iterator[tuple[int, str]]:
    """Imports of the repository's that the wheel would not have."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "a relative import hides where a name comes from: write the whole name"
                continue
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if layout.ours(name) and name not in layout.modules:
                yield node.lineno, f"the wheel has no module {name}"


def _names_in_strings(tree: ast.Module, layout: Layout) -> Iterator[tuple[int, str]]:
    """Modules that are named in a string, where no parser can tell what is meant."""
    said = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }  # docstrings are for people
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            name = node.value.partition(":")[0]
            if "." in name and name in layout.modules and _top(name) in layout.inside:
                yield node.lineno, f"{node.value!r} is another name in the wheel: use __name__ or __package__"
        elif isinstance(node, ast.List | ast.Tuple):
            yield from _run_as_modules(node.elts, layout)
        elif isinstance(node, ast.Call) and _called(node.func) in _BY_NAME and node.args:
            yield from _imported_by_name(node.args[0], layout)


def _run_as_modules(words: list[ast.expr], layout: Layout) -> Iterator[tuple[int, str]]:
    """`python -m NAME`: dotted names are found by themselves."""
    for option, name in pairwise(words):
        if (
            isinstance(option, ast.Constant)
            and option.value == "-m"
            and isinstance(name, ast.Constant)
            and name.value in layout.inside
        ):
            yield name.lineno, f"{name.value!r} is another name in the wheel: use __name__ or __package__"


def _imported_by_name(name: ast.expr, layout: Layout) -> Iterator[tuple[int, str]]:
    """Fine are names that are the same everywhere, and such as begin with the module's own."""
    begin: ast.AST = name
    if isinstance(name, ast.JoinedStr) and name.values:
        begin = name.values[0].value if isinstance(name.values[0], ast.FormattedValue) else name.values[0]
    if isinstance(begin, ast.Constant) and isinstance(begin.value, str):
        fixed = begin.value if begin is name else begin.value.rpartition(".")[0]
        if fixed and (not layout.ours(fixed) or _top(fixed) == layout.home):
            return
    elif isinstance(begin, ast.Name) and begin.id in ("__name__", "__package__"):
        return
    yield name.lineno, "what is imported by name here cannot be known: use an import statement"


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def wheel_path(path: str, layout: Layout) -> str:
    """Where a file of the repository lies in the wheel."""
    return f"{layout.home}/{path}" if PurePosixPath(path).parts[0] in layout.inside else path


def clashes(paths: Iterable[str], layout: Layout) -> Mapping[str, list[str]]:
    """Places in the wheel that several files of the repository claim."""
    claimed: dict[str, list[str]] = {}
    for path in paths:
        claimed.setdefault(wheel_path(path, layout), []).append(path)
    return {place: files for place, files in claimed.items() if len(files) > 1}
